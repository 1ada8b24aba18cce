import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'
import { AgentError } from '../../../errors.ts'

/** Bytes of a unit: carriers count in either kind and seldom say which. */
export const UNITS = { B: 1, kB: 1_000, KiB: 1_024, MB: 1_000_000, MiB: 1_048_576 } as const

const Bytes = z.int().min(1).max(1_000_000_000)

/** How a carrier counts and writes what it bills. */
const CarrierProfile = z.strictObject({
  columns: z
    .strictObject({
      /** ICCID of the SIM. */
      sim: z.string().min(1).default('iccid'),
      /** When it was, or on which day. */
      at: z.string().min(1).default('date'),
      /** Volume both ways; or several columns to be added up. */
      volume: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).default('bytes'),
    })
    .prefault({}),
  delimiter: z.string().length(1).default(','),
  /** Order of day, month and year in `at`; `unix` = seconds or milliseconds since 1970. */
  dates: z.enum(['iso', 'dmy', 'mdy', 'unix']).default('iso'),
  unit: z.enum(['B', 'kB', 'KiB', 'MB', 'MiB']).default('B'),
  /** What the carrier adds to each packet, and what a packet has by our count on average, bytes. */
  overhead: z.strictObject({ perPacket: Bytes, packetBytes: Bytes }).optional(),
  /** Each session (a row) or each month is rounded up to whole steps, bytes. */
  rounding: z.strictObject({ step: Bytes, per: z.enum(['session', 'month']) }).optional(),
  /** How far the carrier may be off what is expected, percent. */
  band: z.number().min(0).max(1_000).default(5),
})
export type CarrierProfile = z.infer<typeof CarrierProfile>

/** The profile in a YAML file, or plain bytes by SIM and day. @throws AgentError FILE_UNREADABLE, CARRIER_PROFILE_INVALID */
export function carrierProfile(file: string | undefined): CarrierProfile {
  if (file === undefined) return CarrierProfile.parse({})
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new AgentError('FILE_UNREADABLE', `Cannot read the carrier's profile ${file}`, { cause })
  }
  try {
    return CarrierProfile.parse(parse(text) ?? {})
  } catch (cause) {
    const what = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause)
    throw new AgentError('CARRIER_PROFILE_INVALID', `${file}: ${what}`, { cause })
  }
}
