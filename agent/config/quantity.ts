import { z } from 'zod'

// The file is read with YAML's failsafe schema, so every scalar arrives as the text that was written: `7E1` stays a
// serial format instead of becoming 70, and `00123` a serial number.

const DURATION_UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const BYTE_UNITS = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const

interface Limits {
  readonly least: string
  readonly most: string
}

/** A whole number within limits. */
export const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .refine((text) => /^-?\d{1,15}$/.test(text) && Number(text) >= least && Number(text) <= most, {
      error: `must be a whole number from ${least} to ${most}`,
    })
    .transform(Number)

/** Any finite decimal number. */
export const decimalNumber = z
  .string()
  .regex(/^-?\d+(\.\d+)?([eE][-+]?\d{1,3})?$/, 'must be a number such as 0.5, -12 or 1.2e-6')
  .transform(Number)
  .refine(Number.isFinite, 'is too large')

/** Text such as `500ms`, `10s`, `5m`, `1h` or `30d` to milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text)
  if (match === null) return undefined
  const ms = Number(match[1]) * DURATION_UNITS_MS[match[2] as keyof typeof DURATION_UNITS_MS]
  return Number.isInteger(ms) ? ms : undefined
}

/** Text such as `500kB`, `2GB` or `64MiB` to bytes; undefined for anything else. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(B|kB|MB|GB|KiB|MiB|GiB)$/.exec(text)
  if (match === null) return undefined
  const bytes = Number(match[1]) * BYTE_UNITS[match[2] as keyof typeof BYTE_UNITS]
  return Number.isInteger(bytes) ? bytes : undefined
}

/** A duration within limits, in milliseconds. */
export const duration = (limits: Limits) => quantity(parseDuration, limits, 'a duration such as 10s or 500ms')

/** A size within limits, in bytes. */
export const byteSize = (limits: Limits) => quantity(parseBytes, limits, 'a size such as 500kB or 2GiB')

function quantity(parse: (text: string) => number | undefined, { least, most }: Limits, what: string) {
  const [low = 0, high = 0] = [parse(least), parse(most)]
  return z.string().transform((text, context) => {
    const value = parse(text)
    if (value !== undefined && value >= low && value <= high) return value
    context.addIssue({ code: 'custom', message: `must be ${what}, from ${least} to ${most}` })
    return z.NEVER
  })
}
