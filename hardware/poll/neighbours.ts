import type { Clock } from '../clock.ts'
import type { NeighbourRef, NeighbourValue } from '../profile/index.ts'
import type { Reading, Value } from '../reading.ts'

const keyOf = (at: { device: string; sensor: string; channel: string }): string =>
  `${at.device}/${at.sensor}.${at.channel}`

/** The newest good value of each channel, for devices whose values depend on another's, such as a barometer. */
export class Neighbours {
  readonly #clock: Clock
  readonly #values = new Map<string, { value: Value; atMs: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  note(readings: readonly Reading[]): void {
    const atMs = this.#clock.now()
    for (const reading of readings) {
      if (reading.quality === 'good') this.#values.set(keyOf(reading), { value: reading.value, atMs })
    }
  }

  /** Its age was counted by the monotonic clock: a jump of the wall clock makes no value stale. */
  get(ref: NeighbourRef): NeighbourValue | undefined {
    const found = this.#values.get(keyOf(ref))
    if (found === undefined) return undefined
    return { value: found.value, takenAt: this.#clock.wall() - Math.round(this.#clock.now() - found.atMs) }
  }
}
