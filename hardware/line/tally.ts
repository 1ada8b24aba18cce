const WINDOW_SECONDS = 60
const SECOND_MS = 1_000

/** Counts what `LineStats` shows, and how busy the line was in the last minute. */
export class Tally {
  exchanges = 0
  timeouts = 0
  crcErrors = 0
  strayBytes = 0
  lateReplies = 0
  gapViolations = 0
  readonly #startedAt: number
  /** Busy milliseconds of each second, by the second modulo the window. */
  readonly #busyMs = new Float64Array(WINDOW_SECONDS)
  readonly #second = new Float64Array(WINDOW_SECONDS).fill(-1)
  #busySince: number | null = null

  constructor(now: number) {
    this.#startedAt = now
  }

  /** A turn began. */
  busy(now: number): void {
    this.#busySince = now
  }

  /** The turn ended. */
  idle(now: number): void {
    if (this.#busySince !== null) this.#add(this.#busySince, now)
    this.#busySince = null
  }

  /** Share of the last minute (or of all the time so far, where that is less) in which a turn was under way, 0 to 1. */
  utilisation(now: number): number {
    if (this.#busySince !== null) {
      this.#add(this.#busySince, now)
      this.#busySince = now
    }
    const current = Math.floor(now / SECOND_MS)
    const fresh = this.#busyMs.filter((_, slot) => (this.#second[slot] ?? -1) > current - WINDOW_SECONDS)
    const windowMs = Math.min((WINDOW_SECONDS - 1) * SECOND_MS + (now % SECOND_MS), now - this.#startedAt)
    const busyMs = fresh.reduce((sum, ms) => sum + ms, 0)
    return windowMs <= 0 ? 0 : Math.min(1, busyMs / windowMs)
  }

  /** Divides a busy time among the seconds it touches. */
  #add(from: number, to: number): void {
    const earliest = Math.max(from, to - WINDOW_SECONDS * SECOND_MS)
    for (let at = earliest; at < to; ) {
      const second = Math.floor(at / SECOND_MS)
      const end = Math.min(to, (second + 1) * SECOND_MS)
      const slot = second % WINDOW_SECONDS
      if (this.#second[slot] !== second) {
        this.#second[slot] = second
        this.#busyMs[slot] = 0
      }
      this.#busyMs[slot] = (this.#busyMs[slot] ?? 0) + end - at
      at = end
    }
  }
}
