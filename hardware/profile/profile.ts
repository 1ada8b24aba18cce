import type { Format } from '../config.ts'
import type { CycleStep, ReadChannel } from '../modbus/index.ts'
import type { Resolution } from './decimal.ts'
import type { Node } from './expression/parse.ts'

export const PROTOCOLS = ['modbus-rtu', 'modbus-ascii'] as const
export type ProtocolName = (typeof PROTOCOLS)[number]

export interface Alarm {
  readonly below: number | null
  readonly above: number | null
}

/** One value of a device: read from it, or computed from others. */
export interface Channel {
  readonly id: string
  /** Group within the device; `main` where the profile names none. */
  readonly sensor: string
  /** UCUM code. */
  readonly unit: string
  readonly title: string | null
  /** Grid of its values; null keeps the double as it is. */
  readonly resolution: Resolution | null
  readonly derived: boolean
  /** Values outside are kept, with quality bad. */
  readonly range: readonly [least: number, most: number] | null
  /** What the device sends where it has no value, before scale and offset. */
  readonly bad: readonly (number | bigint)[]
  readonly alarm: Alarm | null
  /** Where it is in the device; null where derived. */
  readonly read: ReadChannel | null
  /** Value = read * scale + offset: the device's own encoding, not a calibration. */
  readonly scale: number
  readonly offset: number
  /** How it is computed; null where read. */
  readonly expression: Node | null
  /** Channels it needs from the device, through all others; itself where read. */
  readonly sources: readonly string[]
}

export interface Limits {
  readonly maxRegs: number
  readonly maxBits: number
  readonly maxHole: number
  /** Silence before a request, ms; the line keeps at least t3.5. */
  readonly gapMs: number
  readonly timeoutMs: number
  /** Usual time until it begins an answer, ms: for the line's time budget. */
  readonly thinkMs: number
  /** How much later than its time-out an answer may still come: until then the device is not asked again. */
  readonly lateMs: number
  /** After a busy answer (exception 6 or 5) ask again after this time, ms; 0 = not before the next slot. */
  readonly busyRetryMs: number
  /** `retry`: the device sleeps, its first answer after a pause may be missing or busy. */
  readonly wake: 'none' | 'retry'
}

/** How `line scan` knows this device: a read whose value lies in a range. */
export interface Identify {
  readonly read: ReadChannel
  readonly least: number
  readonly most: number
}

/** A checked profile: a kind of device, its channels, and how to read them. */
export interface Profile {
  /** `maker-model/version`. */
  readonly name: string
  readonly title: string | null
  readonly protocol: ProtocolName
  readonly line: { readonly baud: number; readonly format: Format }
  readonly limits: Limits
  /** Before the reads of each poll: trigger, wait. */
  readonly cycle: readonly CycleStep[]
  /** Derived ones after all that they need. */
  readonly channels: readonly Channel[]
  /** Defaults of calibration constants. */
  readonly cal: Readonly<Record<string, number>>
  readonly identify: Identify | null
  /** A value of each channel as an example has it; a simulated device moves around it. */
  readonly typical: Readonly<Record<string, number | bigint | string>>
  /** Channels that no example shows. */
  readonly unproven: readonly string[]
}
