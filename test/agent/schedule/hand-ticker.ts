import type { Ticker } from '../../../agent/schedule/ticker.ts'

/** A clock that only `pass` moves; timers run in their order, promises in between. */
export class HandTicker implements Ticker {
  #now = 0
  readonly #timers = new Set<{ at: number; run: () => void }>()

  now(): number {
    return this.#now
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  async pass(ms: number): Promise<void> {
    const until = this.#now + ms
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.#timers.delete(due)
      this.#now = due.at
      due.run()
      await settled()
    }
    this.#now = until
    await settled()
  }

  get waiting(): number {
    return this.#timers.size
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
