import type { Clock } from '../clock.ts'
import type { HardwareEvent } from '../events.ts'
import type { Reading } from '../reading.ts'

/** What the poller needs from outside, and where it gives. */
export interface PollerPorts {
  readonly clock: Clock
  /** 0 to 1, as Math.random. */
  readonly random: () => number
  onReadings(readings: readonly Reading[]): void
  onEvent(event: HardwareEvent): void
}
