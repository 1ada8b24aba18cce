import type { HardwareConfig } from '../config.ts'
import type { HardwareEvent, HardwareReport } from '../events.ts'
import type { Reading } from '../reading.ts'

/** Channels that begin a block of their own, by device. */
export type Splits = Readonly<Record<string, readonly string[]>>

/** To the hardware process. Plain data of our own making, on a private pipe: trusted as it is. */
export type ToHardware =
  | { readonly kind: 'configure'; readonly config: HardwareConfig; readonly splits: Splits }
  /** The batch of this number is committed. */
  | { readonly kind: 'ack'; readonly batch: number }
  | { readonly kind: 'poll'; readonly device: string }
  | { readonly kind: 'stop' }

/** From the hardware process. */
export type FromHardware =
  /** It has read its configuration and polls. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'readings'; readonly batch: number; readonly readings: readonly Reading[] }
  | { readonly kind: 'event'; readonly event: HardwareEvent }
  /** Also the heartbeat. */
  | { readonly kind: 'report'; readonly report: HardwareReport }
