import type { HardwareErrorCode } from './errors.ts'
import type { LineStats } from './line/line.ts'
import type { DeviceState, LineHealthState } from './poll/health.ts'
import type { Reason } from './reading.ts'

/** What happens on the hardware side besides readings. `at` is the wall clock, epoch ms. */
export type HardwareEvent =
  | {
      readonly kind: 'line'
      readonly at: number
      readonly line: string
      readonly state: LineHealthState
      readonly cause: string | null
    }
  | {
      readonly kind: 'device'
      readonly at: number
      readonly device: string
      readonly line: string
      readonly state: DeviceState
      readonly reason: Reason | null
    }
  /** Disabled by itself, the others go on; at start, once for each. */
  | {
      readonly kind: 'refused'
      readonly at: number
      readonly subject: 'line' | 'device'
      readonly id: string
      readonly code: HardwareErrorCode
      readonly sentence: string
      readonly hint: string
    }
  /** Learnt: these channels of the device must each begin a block of their own. Keep them and give them back at start. */
  | {
      readonly kind: 'splits'
      readonly at: number
      readonly device: string
      readonly channels: readonly string[]
    }
  /** Readings given up because nobody took them in time. */
  | { readonly kind: 'dropped'; readonly at: number; readonly readings: number }
  | {
      readonly kind: 'process'
      readonly at: number
      readonly state: 'started' | 'lost' | 'hung'
      readonly pid: number
      readonly cause: string | null
    }

export interface DeviceStats {
  readonly line: string
  readonly state: DeviceState
  readonly reason: Reason | null
  /** Polls begun, and those without any answer. */
  readonly polls: number
  readonly failures: number
  /** Slots that passed without a poll. */
  readonly missedSlots: number
  /** Wall clock of the last answered poll, epoch ms; null = never. */
  readonly lastAnswerAt: number | null
}

export interface LineReport extends LineStats {
  readonly state: LineHealthState
  /** Share of the line's time that its admitted devices need, 0 to 1. */
  readonly load: number
  /** Share of its time spent on lost devices since it was started, 0 to 1. */
  readonly probeShare: number
}

/** Figures of the hardware process, renewed every second. */
export interface HardwareReport {
  readonly lines: Readonly<Record<string, LineReport>>
  readonly devices: Readonly<Record<string, DeviceStats>>
  /** Readings taken, not yet acknowledged, and given up, since the process began. */
  readonly readings: number
  readonly waiting: number
  readonly dropped: number
}
