import { payloadStart, type Seen } from '../../support/mqtt-bytes.ts'
import { STAMP_BYTES } from './publisher.ts'
import { Latencies, Sequence } from './tallies.ts'

/** Checks what one subscriber is given. */
export class Subscriber {
  readonly #sequences: readonly Sequence[]
  readonly latencies = new Latencies()
  #lastAt = performance.now()
  received = 0
  longestGapMs = 0

  constructor(publishers: number) {
    this.#sequences = Array.from({ length: publishers }, () => new Sequence())
  }

  /** Begins a new measurement; what was seen stays seen. */
  begin(): void {
    this.latencies.clear()
    this.longestGapMs = 0
    this.#lastAt = performance.now()
  }

  see(seen: Seen): void {
    const stamp = payloadStart(seen)
    if (seen.end - stamp < STAMP_BYTES) throw new Error('a message without its stamp')
    const { bytes } = seen
    const now = performance.now()
    this.received += 1
    this.#sequences[bytes.readUInt16BE(stamp)]?.see(bytes.readUInt32BE(stamp + 2))
    this.latencies.add(now - bytes.readDoubleBE(stamp + 6))
    this.longestGapMs = Math.max(this.longestGapMs, now - this.#lastAt)
    this.#lastAt = now
  }

  /** Of what each publisher has sent. */
  judge(sent: readonly number[]): { lost: number; doubled: number; disordered: number } {
    const all = { lost: 0, doubled: 0, disordered: 0 }
    for (const [at, { count, doubled, disordered }] of this.#sequences.entries()) {
      all.lost += (sent[at] ?? 0) - count
      all.doubled += doubled
      all.disordered += disordered
    }
    return all
  }
}
