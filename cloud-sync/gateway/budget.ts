/** Bytes a second, and how many may go at once after a pause. */
export interface Rate {
  readonly bytesPerSecond: number
  readonly burstBytes: number
}

/**
 * A token bucket that may go into debt: a message goes as soon as there is anything left, however large it is, and the
 * next one waits until it is paid for.
 */
export class Budget {
  readonly #rate: Rate
  readonly #now: () => number
  #tokens: number
  #at: number
  #factor = 1

  /** @param now monotonic, milliseconds */
  constructor(rate: Rate, now: () => number) {
    this.#rate = rate
    this.#now = now
    this.#tokens = rate.burstBytes
    this.#at = now()
  }

  /** Milliseconds until something may go; 0 = now. */
  waitMs(): number {
    this.#refill()
    return this.#tokens > 0
      ? 0
      : Math.ceil(((1 - this.#tokens) / (this.#rate.bytesPerSecond * this.#factor)) * 1000)
  }

  spend(bytes: number): void {
    this.#refill()
    this.#tokens -= bytes
  }

  /** Earns this share of its rate from now on, above 0 and at most 1; what may go at once stays. */
  slow(factor: number): void {
    this.#refill()
    this.#factor = factor
  }

  #refill(): void {
    const now = this.#now()
    const earned = ((now - this.#at) / 1000) * this.#rate.bytesPerSecond * this.#factor
    this.#tokens = Math.min(this.#rate.burstBytes, this.#tokens + earned)
    this.#at = now
  }
}
