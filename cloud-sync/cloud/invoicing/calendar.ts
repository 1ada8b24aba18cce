import { createTask, validateDetailed } from 'node-cron'

const MINUTE_MS = 60_000
/** Wall and monotonic clock may part by this between two looks before it counts as a jump. */
const JUMP_MS = 5_000
/** A jump ahead of more than this is not believed before the process begins anew: no month is closed by it. */
const BELIEVED_JUMP_MS = 24 * 3_600_000
/** Minutes looked at after a stall of the process; those before are left out. */
const MINUTES_MAX = 10

export interface CalendarClocks {
  /** Wall clock, epoch ms. */
  readonly wall: () => number
  /** Monotonic clock, ms. */
  readonly mono: () => number
  /** The wall clock has stepped by so much. */
  readonly onJump?: (stepMs: number, believed: boolean) => void
}

/**
 * Says when a calendar job ("at 7 minutes past each hour, UTC") is due. node-cron only reads the expression; its own
 * timer would walk every slot of a gap. Slots that a jump skips are neither run nor made up for: what the job does
 * depends on what is due, not on how often it ran.
 */
export class CalendarJob {
  readonly #clocks: CalendarClocks
  readonly #matches: (minute: Date) => boolean
  #lookedMs: number
  /** Wall minus monotonic at the last look. */
  #offsetMs: number
  /** How far the wall clock is ahead of what is believed. */
  #disbelievedMs = 0

  constructor(expression: string, clocks: CalendarClocks) {
    const { valid, errors } = validateDetailed(expression)
    if (!valid) throw new RangeError(errors[0]?.message ?? `${expression} is no calendar expression`)
    const task = createTask(expression, () => undefined, { timezone: 'UTC' })
    this.#matches = (minute) => task.match(minute)
    this.#clocks = clocks
    this.#lookedMs = clocks.wall()
    this.#offsetMs = this.#lookedMs - clocks.mono()
  }

  /** The time that is believed where a slot has come since the last look; undefined where none has. */
  look(): number | undefined {
    const wall = this.#clocks.wall()
    const offset = wall - this.#clocks.mono()
    const step = offset - this.#offsetMs
    const from = this.#lookedMs
    this.#lookedMs = wall
    this.#offsetMs = offset
    if (Math.abs(step) > JUMP_MS) {
      const ahead = this.#disbelievedMs + step
      const believed = ahead <= BELIEVED_JUMP_MS
      this.#disbelievedMs = believed ? 0 : ahead
      this.#clocks.onJump?.(step, believed)
      return undefined
    }
    const last = Math.floor(wall / MINUTE_MS)
    const first = Math.max(Math.floor(from / MINUTE_MS), last - MINUTES_MAX) + 1
    for (let minute = first; minute <= last; minute += 1) {
      if (this.#matches(new Date(minute * MINUTE_MS))) return wall - this.#disbelievedMs
    }
    return undefined
  }
}
