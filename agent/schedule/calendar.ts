import { createTask, type ScheduledTask, validateDetailed } from 'node-cron'
import type { Scheduler, Turn } from './scheduler.ts'
import { systemTicker, type Ticker } from './ticker.ts'

const MINUTE_MS = 60_000
const LOOK_EVERY_MS = 15_000
/** Wall and monotonic clock may part by this between two looks before it counts as a jump. */
const JUMP_MS = 5_000
/** Minutes looked at after a stall of the whole process; those before are left out. */
const MINUTES_MAX = 10

export interface CalendarOptions {
  readonly scheduler: Scheduler
  /** Wall clock, epoch ms. */
  readonly wall: () => number
  readonly ticker?: Ticker
  readonly onError: (job: string, error: unknown) => void
  /** The wall clock has stepped by so much; slots in between are neither run nor made up for. */
  readonly onJump?: (stepMs: number) => void
}

interface Entry {
  readonly name: string
  readonly task: ScheduledTask
  readonly turn: Turn
  running: boolean
}

/**
 * Jobs for people's calendars ("every day at 03:00 UTC"), never for anything that meters, flushes or sends.
 *
 * node-cron only reads the expressions and says whether a minute matches; its own timer is never started. That timer
 * walks every slot of a gap: when a gateway without a clock battery gets its time (1970 to now) it blocks the process
 * for minutes. Here a jump is seen before any slot is looked for, and the calendar goes on from the new time.
 */
export class Calendar {
  readonly #options: CalendarOptions
  readonly #ticker: Ticker
  readonly #entries = new Set<Entry>()
  #lookedMs: number
  /** Wall minus monotonic at the last look. */
  #offsetMs: number

  constructor(options: CalendarOptions) {
    this.#options = options
    this.#ticker = options.ticker ?? systemTicker
    this.#lookedMs = options.wall()
    this.#offsetMs = this.#lookedMs - this.#ticker.now()
    options.scheduler.every('calendar', LOOK_EVERY_MS, (signal) => {
      this.look(signal)
    })
  }

  /** A turn at each minute that the expression (five fields, UTC) matches; the returned way ends it. */
  at(name: string, expression: string, turn: Turn): () => void {
    const { valid, errors } = validateDetailed(expression)
    if (!valid || expression.trim().split(/\s+/).length !== 5) {
      throw new RangeError(`job ${name}: ${errors[0]?.message ?? 'five fields are needed'}`)
    }
    const task = createTask(expression, () => undefined, { timezone: 'UTC' })
    const entry: Entry = { name, task, turn, running: false }
    this.#entries.add(entry)
    return () => {
      this.#entries.delete(entry)
      void task.destroy()
    }
  }

  /** Runs what has come due since the last look. */
  look(signal: AbortSignal): void {
    const wall = this.#options.wall()
    const offset = wall - this.#ticker.now()
    const step = offset - this.#offsetMs
    const from = this.#lookedMs
    this.#lookedMs = wall
    this.#offsetMs = offset
    if (Math.abs(step) > JUMP_MS) {
      this.#options.onJump?.(step)
      return
    }
    const last = Math.floor(wall / MINUTE_MS)
    const first = Math.max(Math.floor(from / MINUTE_MS), last - MINUTES_MAX) + 1
    for (let minute = first; minute <= last; minute += 1) this.#run(new Date(minute * MINUTE_MS), signal)
  }

  #run(minute: Date, signal: AbortSignal): void {
    for (const entry of this.#entries) {
      if (!entry.running && entry.task.match(minute)) void this.#turn(entry, signal)
    }
  }

  async #turn(entry: Entry, signal: AbortSignal): Promise<void> {
    entry.running = true
    try {
      await entry.turn(signal)
    } catch (error) {
      this.#options.onError(entry.name, error)
    } finally {
      entry.running = false
    }
  }
}
