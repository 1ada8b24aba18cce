import { systemClock } from '../clock.ts'
import type { DeviceConfig, HardwareConfig, LineConfig, LinePort } from '../config.ts'
import { HardwareError } from '../errors.ts'
import { type Profile, loadProfile, protocolOf, readingsOf } from '../profile/index.ts'
import { type Demand, admit, stepsMs } from './admission.ts'
import type { PolledDevice } from './device.ts'
import { Neighbours } from './neighbours.ts'
import { triggerOf } from './trigger.ts'

const ADDRESS_MIN = 1
const ADDRESS_MAX = 247
/** Faster than any line can poll; slower than this is not a measurement. */
const EVERY_MS_MIN = 10
const EVERY_MS_MAX = 30 * 86_400_000
const NO_SPLITS: ReadonlySet<string> = new Set()

/** A line or device that cannot be used as it is configured. */
export interface Refusal {
  readonly subject: 'line' | 'device'
  readonly id: string
  readonly error: HardwareError
}

export interface PolledLine {
  readonly config: LineConfig
  readonly devices: readonly PolledDevice[]
  /** Share of its time that they need, 0 to 1. */
  readonly load: number
}

export interface Intake {
  readonly lines: readonly PolledLine[]
  readonly refusals: readonly Refusal[]
}

/** What can be polled of a configuration; whatever cannot is refused alone, and the rest goes on. */
export function takeIn(config: HardwareConfig, neighbours: Neighbours): Intake {
  const refusals: Refusal[] = []
  const profiles = new Profiles()
  const lines = config.lines.filter((line, index) => {
    const sentence = lineFault(line, config.lines.slice(0, index))
    if (sentence !== null)
      refusals.push({ subject: 'line', id: line.id, error: new HardwareError('LINE_REFUSED', sentence) })
    return sentence === null
  })
  const devices: { line: string; device: PolledDevice }[] = []
  for (const [index, device] of config.devices.entries()) {
    try {
      checkDevice(device, { lines, before: config.devices.slice(0, index) })
      const polled = polledDevice({ config: device, profile: profiles.load(device.profile), neighbours })
      devices.push({ line: device.line, device: polled })
    } catch (error) {
      if (!(error instanceof HardwareError)) throw error
      refusals.push({ subject: 'device', id: device.id, error })
    }
  }
  const taken = lines.map((line): PolledLine => {
    const own = devices.flatMap(({ line: of, device }) => (of === line.id ? [device] : []))
    const { admitted, refused, load } = admit(line.id, demandsOf(own, line))
    for (const { demand, error } of refused) refusals.push({ subject: 'device', id: demand.device, error })
    const ids = new Set(admitted.map(({ device }) => device))
    return { config: line, devices: own.filter(({ id }) => ids.has(id)), load }
  })
  return { lines: taken, refusals }
}

export interface HardwareCheck {
  readonly refusals: readonly Refusal[]
  /** What each usable line would carry; `load` is the share of its time, 0 to 1. */
  readonly lines: readonly { readonly id: string; readonly devices: number; readonly load: number }[]
}

/** What the hardware process would make of this configuration, for a check before it is put to use. */
export function checkHardware(config: HardwareConfig): HardwareCheck {
  const { refusals, lines } = takeIn(config, new Neighbours(systemClock))
  return {
    refusals,
    lines: lines.map(({ config: { id }, devices, load }) => ({ id, devices: devices.length, load })),
  }
}

/** Profiles by their text: a site of a hundred equal devices compiles one. */
class Profiles {
  readonly #loaded = new Map<string, Profile | HardwareError>()

  load(text: string): Profile {
    const known = this.#loaded.get(text) ?? this.#try(text)
    if (known instanceof HardwareError) throw known
    return known
  }

  #try(text: string): Profile | HardwareError {
    let result: Profile | HardwareError
    try {
      result = loadProfile(text)
    } catch (error) {
      if (!(error instanceof HardwareError)) throw error
      result = error
    }
    this.#loaded.set(text, result)
    return result
  }
}

function lineFault(line: LineConfig, before: readonly LineConfig[]): string | null {
  if (before.some(({ id }) => id === line.id)) return `there are two lines of the name ${line.id}`
  const same = before.find(({ port }) => portName(port) === portName(line.port))
  return same === undefined ? null : `line ${line.id} names the same port as line ${same.id}`
}

function portName(port: LinePort): string {
  switch (port.kind) {
    case 'path':
      return port.path
    case 'usb':
      return `usb ${port.vendor}:${port.product}:${port.serial ?? ''}`
    case 'tcp':
      return `${port.host}:${port.port}`
  }
}

function checkDevice(
  device: DeviceConfig,
  among: { lines: readonly LineConfig[]; before: readonly DeviceConfig[] },
): void {
  const sentence = deviceFault(device, among)
  if (sentence !== null) throw new HardwareError('DEVICE_REFUSED', `device ${device.id}: ${sentence}`)
}

function deviceFault(
  device: DeviceConfig,
  { lines, before }: { lines: readonly LineConfig[]; before: readonly DeviceConfig[] },
): string | null {
  const { id, line, address, everyMs } = device
  if (before.some((other) => other.id === id)) return 'there are two devices of this name'
  if (!lines.some((other) => other.id === line)) return `there is no usable line ${line}`
  if (!Number.isInteger(address) || address < ADDRESS_MIN || address > ADDRESS_MAX) {
    return `its address is ${address}, not ${ADDRESS_MIN} to ${ADDRESS_MAX}`
  }
  const twin = before.find((other) => other.line === line && other.address === address)
  if (twin !== undefined) return `device ${twin.id} has the same address ${address} on line ${line}`
  if (!(everyMs >= EVERY_MS_MIN && everyMs <= EVERY_MS_MAX)) {
    return `its interval is ${everyMs} ms, not ${EVERY_MS_MIN} ms to 30 days`
  }
  return null
}

/** A device as the poller needs it. */
export function polledDevice(given: {
  config: Pick<DeviceConfig, 'id' | 'address' | 'everyMs' | 'calibrations'>
  profile: Profile
  neighbours: Neighbours
}): PolledDevice {
  const { config, profile, neighbours } = given
  const { id, address, everyMs, calibrations } = config
  const { gapMs, timeoutMs, lateMs, busyRetryMs, thinkMs, wake } = profile.limits
  return {
    id,
    address,
    everyMs,
    protocol: protocolOf(profile),
    channels: profile.channels.flatMap((channel) => (channel.derived ? [] : [channel.id])),
    profileKey: profile.name,
    alarms: profile.channels.some(({ alarm }) => alarm !== null),
    gapMs,
    timeoutMs,
    lateMs,
    busyRetryMs,
    thinkMs,
    sleeps: wake === 'retry',
    readings: (harvest) =>
      readingsOf(profile, {
        ...harvest,
        device: id,
        address,
        calibrations,
        neighbour: (ref) => neighbours.get(ref),
      }),
  }
}

/** Line time of each device's poll; a trigger and its wait count once for all that share it. */
function demandsOf(devices: readonly PolledDevice[], line: LineConfig): Demand[] {
  const waited = new Map<string, number>()
  return devices.map((device) => {
    const steps = device.protocol.plan(device.address, device.channels, NO_SPLITS)
    const trigger = triggerOf(steps, device.profileKey)
    const restMs = stepsMs(trigger.rest, line, device.thinkMs)
    const group = trigger.key === null ? null : `${trigger.key} ${device.everyMs}`
    const before = group === null ? undefined : waited.get(group)
    if (group !== null) waited.set(group, Math.max(before ?? 0, trigger.waitMs))
    const broadcasts = trigger.broadcasts.map((tx) => ({ kind: 'broadcast', tx }) as const)
    const headMs = before === undefined ? stepsMs(broadcasts, line, 0) : 0
    const waitMs = Math.max(0, trigger.waitMs - (before ?? 0))
    return { device: device.id, everyMs: device.everyMs, pollMs: headMs + waitMs + restMs }
  })
}
