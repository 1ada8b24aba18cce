import type { Protocol, RawValue, Step } from '../protocol.ts'
import type { Reading, Reason } from '../reading.ts'

/** What one poll of a device brought. */
export interface Harvest {
  /** Wall clock when the request had been sent, epoch ms. */
  readonly takenAt: number
  readonly raw: readonly RawValue[]
  /** Channels that could not be read, and why. */
  readonly failed: ReadonlyMap<string, Reason>
}

/** A device as the poller needs it: what its profile says, without the profile. Times in milliseconds. */
export interface PolledDevice {
  readonly id: string
  readonly everyMs: number
  readonly address: number
  readonly protocol: Protocol
  /** Channels that are read from the device, without derived ones. */
  readonly channels: readonly string[]
  /** Devices of one line with the same key may be triggered together. */
  readonly profileKey: string
  /** A channel has an alarm limit: polled before devices without. */
  readonly alarms: boolean
  readonly gapMs: number
  /** The longest that the device thinks before it answers. */
  readonly timeoutMs: number
  /** Its usual time to begin an answer, for the line's time budget. */
  readonly thinkMs: number
  /** How much later than `timeoutMs` an answer may still come. */
  readonly lateMs: number
  /** After a busy answer ask again so much later; 0 = not before the next slot. */
  readonly busyRetryMs: number
  /** It sleeps: after a pause its first answer may be missing, so it is always asked twice. */
  readonly sleeps: boolean
  readonly readings: (harvest: Harvest) => Reading[]
}

export type ExchangeStep = Extract<Step, { kind: 'exchange' }>
