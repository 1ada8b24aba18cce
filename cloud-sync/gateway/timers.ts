import type { UplinkClock } from './ports.ts'

/** Named timers of one session: setting one again moves it, and all end together. */
export class Timers {
  readonly #clock: UplinkClock
  readonly #running = new Map<string, () => void>()
  #isOver = false

  constructor(clock: UplinkClock) {
    this.#clock = clock
  }

  after(name: string, delayMs: number, run: () => void): void {
    this.#running.get(name)?.()
    if (!this.#isOver) this.#running.set(name, this.#clock.after(delayMs, run))
  }

  every(name: string, ms: number, run: () => void): void {
    this.after(name, ms, () => {
      this.every(name, ms, run)
      run()
    })
  }

  end(): void {
    this.#isOver = true
    for (const cancel of this.#running.values()) cancel()
    this.#running.clear()
  }
}
