/** Monotonic time and one-shot timers; a test brings its own. */
export interface Ticker {
  /** Milliseconds from any fixed point; never steps, whatever the wall clock does. */
  now(): number
  /** Runs once after `ms`, however long that is; returns the way to cancel. */
  after(ms: number, run: () => void): () => void
}

/** Node fires a longer timer at once: its delay is a signed 32-bit number. */
const TIMER_MS_MAX = 2 ** 31 - 1

const NANOSECONDS_A_MILLISECOND = 1e6

export const systemTicker: Ticker = {
  now: () => Number(process.hrtime.bigint()) / NANOSECONDS_A_MILLISECOND,
  after(ms, run) {
    let timer: NodeJS.Timeout
    const wait = (left: number): void => {
      const leg = Math.min(left, TIMER_MS_MAX)
      timer = setTimeout(() => {
        if (left > leg) wait(left - leg)
        else run()
      }, leg)
    }
    wait(Math.max(0, ms))
    return () => {
      clearTimeout(timer)
    }
  },
}
