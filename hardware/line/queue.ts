import { HardwareError } from '../errors.ts'

/** Turns that may wait. A poller asks for one exchange at a time for each device, and a line has 247 at most. */
const TURNS_MAX = 1_000

/** One turn at a time, in the order of asking. */
export class TurnQueue {
  #tail: Promise<unknown> = Promise.resolve()
  #waiting = 0

  /** Runs `turn` when all before it have ended, however they ended. */
  use<Result>(turn: () => Promise<Result>): Promise<Result> {
    if (this.#waiting >= TURNS_MAX) {
      const sentence = `more than ${TURNS_MAX} requests wait for one line`
      return Promise.reject(new HardwareError('LINE_OVERLOADED', sentence))
    }
    this.#waiting += 1
    const result = this.#tail.then(turn).finally(() => {
      this.#waiting -= 1
    })
    this.#tail = result.catch(() => undefined)
    return result
  }
}
