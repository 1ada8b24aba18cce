/** Since when the line has been quiet, and until when it must be left quiet. All in monotonic milliseconds. */
export class Silence {
  #lastAt = Number.NEGATIVE_INFINITY
  #until = Number.NEGATIVE_INFINITY

  /** A byte of anybody's ended at `at`. */
  heard(at: number): void {
    this.#lastAt = Math.max(this.#lastAt, at)
  }

  /** Nothing may be sent before `until`. Never shortens what was asked before. */
  keepUntil(until: number): void {
    this.#until = Math.max(this.#until, until)
  }

  /** True while the line is kept quiet for an answer that may still come. */
  isKept(now: number): boolean {
    return now < this.#until
  }

  /** From when on one may send who needs `gapMs` of silence before. */
  endsAt(gapMs: number): number {
    return Math.max(this.#lastAt + gapMs, this.#until)
  }

  /** Until when it is kept quiet, whatever is heard. */
  get keptUntil(): number {
    return this.#until
  }
}
