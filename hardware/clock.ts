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
  /** Sleeps for a small part of a millisecond without a turn of the loop; missing where time is not real. */
  nap?(ms: number): void
}

const napCell = new Int32Array(new SharedArrayBuffer(4))
/** Several lines that wait in the same turn of the loop nap once, not one after the other. */
const SAME_TURN_MS = 0.03
let nappedAt = Number.NEGATIVE_INFINITY

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
  nap(ms) {
    if (performance.now() - nappedAt < SAME_TURN_MS) return
    Atomics.wait(napCell, 0, 0, ms)
    nappedAt = performance.now()
  },
}

/** Node's timers count whole milliseconds from the start of the turn: nearer than this they may fire too late. */
const SPIN_MS = 2

/** Between two turns a nap leaves the processor to others; it takes about twice as long as asked for. */
const NAP_MS = 0.1
const NAP_COST_MS = 2 * NAP_MS

/**
 * Runs at `due` of `clock.now()`, never before: timers fire early, so the clock is asked again, and the last
 * two milliseconds are spent in turns of the event loop with naps between them, because at 115200 baud they are worth
 * twenty characters. Returns the way to cancel.
 */
export function atExactly(clock: Clock, due: number, run: () => void): () => void {
  let cancel: () => void = () => undefined
  const wait = (): void => {
    const left = due - clock.now()
    if (left > SPIN_MS) cancel = clock.after(Math.floor(left) - 1, look)
    else cancel = clock.soon(look)
  }
  const look = (): void => {
    if (due - clock.now() > NAP_COST_MS) clock.nap?.(NAP_MS)
    if (clock.now() >= due) run()
    else wait()
  }
  wait()
  return () => {
    cancel()
  }
}
