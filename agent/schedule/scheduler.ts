import { systemTicker, type Ticker } from './ticker.ts'

/** What a job does in one turn. The signal ends with the scheduler. */
export type Turn = (signal: AbortSignal) => Promise<void> | void

export interface SchedulerOptions {
  readonly ticker?: Ticker
  /** The one place where failed turns are told; the job goes on with its next turn. */
  readonly onError: (job: string, error: unknown) => void
}

export interface Job {
  /** Runs a turn as soon as none is running, in addition to its grid; several kicks at once are one. */
  kick(): void
  /** No further turn; resolves when the running one has ended. */
  stop(): Promise<void>
}

/**
 * Runs whatever meters, flushes or sends, by the monotonic clock alone: a step of the wall clock neither fires nor
 * starves a job. Turns of one job never overlap; slots that pass during a turn are skipped, not made up for.
 */
export class Scheduler {
  readonly #ticker: Ticker
  readonly #onError: SchedulerOptions['onError']
  readonly #jobs = new Set<RunningJob>()
  readonly #ending = new AbortController()

  constructor({ ticker = systemTicker, onError }: SchedulerOptions) {
    this.#ticker = ticker
    this.#onError = onError
  }

  /** A turn every `everyMs` from now on, the first after `everyMs`. */
  every(name: string, everyMs: number, turn: Turn): Job {
    if (!(everyMs > 0)) throw new RangeError(`job ${name}: an interval must be positive, not ${everyMs}`)
    const job = new RunningJob({
      everyMs,
      ticker: this.#ticker,
      turn: async () => {
        try {
          await turn(this.#ending.signal)
        } catch (error) {
          this.#onError(name, error)
        }
      },
    })
    if (this.#ending.signal.aborted) return job
    this.#jobs.add(job)
    job.start()
    return job
  }

  /** Ends all jobs; resolves when their running turns have ended. */
  async stop(): Promise<void> {
    this.#ending.abort()
    await Promise.all([...this.#jobs].map((job) => job.stop()))
    this.#jobs.clear()
  }
}

interface Work {
  readonly everyMs: number
  readonly ticker: Ticker
  readonly turn: () => Promise<void>
}

class RunningJob implements Job {
  readonly #work: Work
  #due = 0
  #cancel: () => void = () => undefined
  #running: Promise<void> | undefined
  #kicked = false
  #stopped = true

  constructor(work: Work) {
    this.#work = work
  }

  start(): void {
    const { ticker, everyMs } = this.#work
    this.#stopped = false
    this.#due = ticker.now() + everyMs
    this.#wait()
  }

  kick(): void {
    if (this.#stopped) return
    this.#kicked = true
    if (this.#running === undefined) this.#run()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel()
    await this.#running
  }

  #wait(): void {
    const { ticker, everyMs } = this.#work
    const late = ticker.now() - this.#due
    // The grid stays where it began: after a long turn the next slot is a whole number of intervals on.
    if (late >= 0) this.#due += (Math.floor(late / everyMs) + 1) * everyMs
    this.#cancel = ticker.after(this.#due - ticker.now(), () => {
      this.#onSlot()
    })
  }

  #onSlot(): void {
    // Timers of Node fire up to a millisecond early: the slot is taken as come, or it would be waited for twice.
    this.#due += this.#work.everyMs
    if (this.#running === undefined) this.#run()
    this.#wait()
  }

  #run(): void {
    this.#kicked = false
    this.#running = this.#work.turn().finally(() => {
      this.#running = undefined
      if (this.#kicked && !this.#stopped) this.#run()
    })
  }
}
