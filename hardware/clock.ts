/** Time as the hardware side sees it; a test may bring its own. */
export interface Clock {
  /** Wall clock, whole epoch milliseconds: a label, never for durations. */
  wall(): number
  /** Monotonic milliseconds with a fraction. */
  now(): number
  /** Runs once after about `ms`: Node's timers fire up to 1 ms early and any time late. Returns the way to cancel. */
  after(ms: number, run: () => void): () => void
  /** Runs once after pending input has been read. Returns the way to cancel. */
  soon(run: () => void): () => void
}

/** The clock of this machine. */
export const systemClock: Clock = {
  wall: () => Date.now(),
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return () => {
      clearTimeout(timer)
    }
  },
  soon(run) {
    const turn = setImmediate(run)
    return () => {
      clearImmediate(turn)
    }
  },
}

/** Node's timers count whole milliseconds from the start of the turn: nearer than this they may fire too late. */
const SPIN_MS = 2

/**
 * Runs at `due` of `clock.now()`, never before: timers fire early, so the clock is asked again, and the last
 * two milliseconds are spent in turns of the event loop, because at 115200 baud they are worth twenty characters.
 * Returns the way to cancel.
 */
export function atExactly(clock: Clock, due: number, run: () => void): () => void {
  let cancel: () => void = () => undefined
  const wait = (): void => {
    const left = due - clock.now()
    if (left <= 0) run()
    else cancel = left > SPIN_MS ? clock.after(Math.floor(left) - 1, wait) : clock.soon(wait)
  }
  const first = due - clock.now()
  cancel = first > SPIN_MS ? clock.after(Math.floor(first) - 1, wait) : clock.soon(wait)
  return () => {
    cancel()
  }
}
