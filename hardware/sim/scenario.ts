import { z } from 'zod'
import { FORMATS } from '../config.ts'
import { HardwareError } from '../errors.ts'
import { loadProfile, parseSource, type Profile, zodFaults, type Fault } from '../profile/index.ts'
import { AnswerFault, LineFault } from './fault.ts'

const DEVICES_MAX = 247
const FAULTS_MAX = 1000
const UNIT_MS = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 } as const
const TIME = /^(\d+(?:\.\d+)?)(ms|min|m|s|h)$/

/** A time as "500ms", "10s", "5min"; milliseconds. */
const Time = z
  .string()
  .regex(TIME, 'a time such as 500ms, 10s or 5min')
  .transform((text) => {
    const [, amount = '0', unit = 'ms'] = TIME.exec(text) ?? []
    return Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS]
  })

const MotionEntry = z.strictObject({
  centre: z.number().optional(),
  swing: z.number().min(0).optional(),
  period: Time.optional(),
  noise: z.number().min(0).optional(),
})

const DeviceEntry = z.strictObject({
  id: z.string().regex(/^[a-z0-9-]{1,64}$/, 'lower case letters, digits and hyphens, 1 to 64'),
  /** Name of a profile that comes with headgate, `acme-t1/1`, or a file. */
  profile: z.string().min(1).max(1000),
  address: z.int().min(1).max(247),
  thinkMs: z.number().min(0).max(10_000).default(5),
  counter: z.string().optional(),
  holes: z.enum(['zero', 'refuse']).default('zero'),
  values: z.record(z.string(), MotionEntry).default({}),
})
export type DeviceEntry = z.infer<typeof DeviceEntry>

/** A fault, from when and how long (without `for` until the end), written as one flat entry. */
const FaultEntry = z.preprocess(
  (entry) => {
    if (typeof entry !== 'object' || entry === null) return entry
    const { from, for: lasting, ...fault } = entry as Record<string, unknown>
    return { from, for: lasting, fault }
  },
  z.strictObject({
    from: Time.prefault('0ms'),
    for: Time.optional(),
    fault: z.discriminatedUnion('fault', [AnswerFault, LineFault]),
  }),
)

/** A scenario file: a line, the devices on it, and what goes wrong when. */
export const ScenarioFile = z.strictObject({
  line: z
    .strictObject({
      baud: z.int().min(50).max(4_000_000).default(9600),
      format: z.enum(FORMATS).default('8N1'),
    })
    .prefault({}),
  seed: z.int().default(1),
  devices: z.array(DeviceEntry).min(1).max(DEVICES_MAX),
  faults: z.array(FaultEntry).max(FAULTS_MAX).default([]),
})

export interface ScenarioDevice extends Omit<DeviceEntry, 'profile'> {
  readonly profile: Profile
}

export interface TimedFault {
  readonly fromMs: number
  /** null = until the end. */
  readonly forMs: number | null
  readonly fault: AnswerFault | LineFault
}

export interface Scenario {
  readonly line: z.infer<typeof ScenarioFile>['line']
  readonly seed: number
  readonly devices: readonly ScenarioDevice[]
  readonly faults: readonly TimedFault[]
}

/**
 * Reads a scenario. `profileText` gives the text of a profile by the name in the file, undefined where there is none.
 * Throws HardwareError SCENARIO_INVALID with every fault and its line, or what a profile is refused with.
 */
export function loadScenario(text: string, profileText: (name: string) => string | undefined): Scenario {
  const source = parseSource(text)
  const parsed = ScenarioFile.safeParse(source.value)
  if (source.broken.length > 0 || !parsed.success) {
    const faults = parsed.success ? [] : zodFaults(parsed.error)
    throw invalid(source.broken.length > 0 ? source.broken : source.describe(faults))
  }
  const faults: Fault[] = []
  const devices = parsed.data.devices.flatMap((entry, at): ScenarioDevice[] => {
    const found = profileText(entry.profile)
    if (found === undefined) {
      faults.push({ path: ['devices', at, 'profile'], sentence: `there is no profile ${entry.profile}` })
      return []
    }
    const device = { ...entry, profile: loadProfile(found) }
    checkDevice(device, (path, sentence) => faults.push({ path: ['devices', at, ...path], sentence }))
    return [device]
  })
  checkTogether(parsed.data, faults)
  if (faults.length > 0) throw invalid(source.describe(faults))
  return {
    line: parsed.data.line,
    seed: parsed.data.seed,
    devices,
    faults: parsed.data.faults.map(({ from, for: lasting, fault }) => ({
      fromMs: from,
      forMs: lasting ?? null,
      fault,
    })),
  }
}

const invalid = (lines: readonly string[]): HardwareError =>
  new HardwareError(
    'SCENARIO_INVALID',
    `the scenario cannot be run:\n${lines.map((line) => `  ${line}`).join('\n')}\n`,
  )

function checkDevice(device: ScenarioDevice, report: (path: PropertyKey[], sentence: string) => void): void {
  const read = new Map(
    device.profile.channels.flatMap((one) => (one.read === null ? [] : [[one.id, one.read]])),
  )
  for (const id of Object.keys(device.values)) {
    if (!read.has(id)) report(['values', id], `${device.profile.name} reads no channel ${id}`)
  }
  if (device.counter === undefined) return
  const type = read.get(device.counter)?.value.type
  if (type !== 'uint32' && type !== 'uint64')
    report(['counter'], 'the counter is a channel of type uint32 or uint64')
}

function checkTogether(file: z.infer<typeof ScenarioFile>, faults: Fault[]): void {
  const ids = new Set<string>()
  const addresses = new Set<number>()
  for (const [at, device] of file.devices.entries()) {
    if (ids.has(device.id)) faults.push({ path: ['devices', at, 'id'], sentence: 'this id is taken' })
    if (addresses.has(device.address)) {
      faults.push({ path: ['devices', at, 'address'], sentence: 'this address is taken' })
    }
    ids.add(device.id)
    addresses.add(device.address)
  }
  for (const [at, { fault }] of file.faults.entries()) {
    if ('device' in fault && fault.device !== undefined && !ids.has(fault.device)) {
      faults.push({ path: ['faults', at, 'device'], sentence: `there is no device ${fault.device}` })
    }
  }
}
