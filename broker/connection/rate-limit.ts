import type { BrokerLimits } from '../limits.ts'

/** Packets between two looks at the clock. */
const PACKETS_A_LOOK = 64
const SECOND_MS = 1_000

/** What one connection may send in a second, packets and bytes. Cheap: it looks at the clock every few packets. */
export class RateLimit {
  readonly #packetsMax: number
  readonly #bytesMax: number
  #packets = 0
  #bytes = 0
  #since = 0

  constructor({ packetsPerSecond, bytesPerSecond }: BrokerLimits) {
    this.#packetsMax = packetsPerSecond
    this.#bytesMax = bytesPerSecond
  }

  /** Which of both was met last. */
  get met(): 'packetsPerSecond' | 'bytesPerSecond' {
    return this.#packets > this.#packetsMax ? 'packetsPerSecond' : 'bytesPerSecond'
  }

  /** Notes a packet; answers how long to pause after it, ms, 0 = not at all. */
  take(bytes: number): number {
    this.#packets += 1
    this.#bytes += bytes
    const isOver = this.#packets > this.#packetsMax || this.#bytes > this.#bytesMax
    if (!isOver && this.#packets % PACKETS_A_LOOK !== 0) return 0
    const now = performance.now()
    const passed = now - this.#since
    if (passed >= SECOND_MS) {
      this.#since = now
      this.#packets = 0
      this.#bytes = 0
      return 0
    }
    return isOver ? SECOND_MS - passed : 0
  }
}
