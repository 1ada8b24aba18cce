import type { Clock } from '../../hardware/clock.ts'

/** A turn of the event loop takes this long here, so that waiting by turns ends. */
const TURN_MS = 0.05

/** A clock that stands until it is told to go on; what is due runs in order. */
export class VirtualClock implements Clock {
  #now = 0
  #next = 0
  readonly #due = new Map<number, { at: number; run: () => void }>()

  wall(): number {
    return 1_700_000_000_000 + Math.floor(this.#now)
  }

  now(): number {
    return this.#now
  }

  after(ms: number, run: () => void): () => void {
    return this.#add(this.#now + Math.max(1, Math.trunc(ms)), run)
  }

  soon(run: () => void): () => void {
    return this.#add(this.#now + TURN_MS, run)
  }

  /** Runs at a moment of `now()`, as the world outside does, which no busy machine delays. */
  at(moment: number, run: () => void): () => void {
    return this.#add(moment, run)
  }

  /** The process does not run for so long: time passes and nothing happens. */
  stall(ms: number): void {
    this.#now += ms
  }

  /** Lets time pass; promises settle in between. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    for (;;) {
      await settle()
      const [id, first] = [...this.#due].sort((a, b) => a[1].at - b[1].at || a[0] - b[0])[0] ?? []
      if (id === undefined || first === undefined || first.at > until) break
      this.#due.delete(id)
      this.#now = Math.max(this.#now, first.at)
      first.run()
    }
    this.#now = Math.max(this.#now, until)
  }

  #add(at: number, run: () => void): () => void {
    const id = this.#next
    this.#next += 1
    this.#due.set(id, { at, run })
    return () => void this.#due.delete(id)
  }
}

/** Lets all promises settle that need no timer. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
