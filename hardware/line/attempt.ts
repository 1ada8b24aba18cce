import type { Clock } from '../clock.ts'
import { AnswerFramer, type EchoMemory } from './framing.ts'
import type { Exchange, Reply } from './line.ts'
import type { Transport } from './transport.ts'

/** A timer that fires later than this shows that the process itself stood still: the answer may lie unread. */
const STALL_MS = 5
/** After a stall, time for bytes that other processes on this machine still hold. */
const STALL_GRACE_MS = 20
/** A process that stands still again and again does not wait for ever. */
const STALL_ROUNDS_MAX = 5
/** Beyond the time that the bytes need on the line a port that has not taken them hangs. */
const WRITE_MS_MAX = 1_000

export interface AttemptDeps {
  readonly clock: Clock
  readonly transport: Transport
  readonly echo: EchoMemory
  readonly characterMs: number
}

export type AttemptResult = Reply & {
  /** Monotonic end of the request, as far as it is known. */
  readonly sentUntil: number
  /** The port took no bytes: it is of no use any more. */
  readonly isStuck: boolean
}

/** One request under way: written, then either answered, timed out or cut off. Never rejects. */
export class Attempt {
  readonly #exchange: Exchange
  readonly #deps: AttemptDeps
  readonly #framer: AnswerFramer
  readonly #startedAt: number
  readonly #wallAt: number
  #sentUntil: number
  #written = false
  #due = 0
  #stallRounds = 0
  #cancelTimer: () => void = () => undefined
  #resolve: (result: AttemptResult) => void = () => undefined
  #isOver = false

  constructor(exchange: Exchange, deps: AttemptDeps) {
    this.#exchange = exchange
    this.#deps = deps
    this.#framer = new AnswerFramer(exchange.tx, exchange.match, deps.echo)
    this.#startedAt = deps.clock.now()
    this.#wallAt = deps.clock.wall()
    this.#sentUntil = this.#startedAt + exchange.tx.length * deps.characterMs
  }

  /** Sends the request and waits for what comes of it. */
  run(): Promise<AttemptResult> {
    return new Promise((resolve) => {
      this.#resolve = resolve
      this.#waitUntil(this.#sentUntil + WRITE_MS_MAX)
      this.#deps.transport.write(this.#exchange.tx).then(
        () => {
          this.#writtenNow()
        },
        () => {
          this.lose()
        },
      )
    })
  }

  onBytes(bytes: Uint8Array): void {
    if (this.#isOver) return
    const frame = this.#framer.push(bytes)
    if (frame === null) return
    const now = this.#deps.clock.now()
    // A port that is not paced answers before the request can have been sent on a real line.
    this.#sentUntil = Math.min(this.#sentUntil, now)
    const tookMs = now - this.#sentUntil
    this.#end({ ok: true, frame, sentAt: this.#sentAt(), tookMs, strayBytes: this.#framer.strayBytes })
  }

  /** The port is gone. */
  lose(): void {
    this.#fail('line-lost')
  }

  #writtenNow(): void {
    if (this.#isOver) return
    this.#written = true
    this.#sentUntil = Math.max(this.#sentUntil, this.#deps.clock.now())
    this.#waitUntil(this.#sentUntil + this.#exchange.timeoutMs)
  }

  #waitUntil(due: number): void {
    this.#due = due
    this.#cancelTimer()
    this.#cancelTimer = this.#deps.clock.after(Math.max(1, due - this.#deps.clock.now()), () => {
      void this.#expire()
    })
  }

  /** The time is over, or seems so: what has arrived but was not read yet counts as in time. */
  async #expire(): Promise<void> {
    const lateMs = this.#deps.clock.now() - this.#due
    if (lateMs < 0) {
      this.#waitUntil(this.#due)
      return
    }
    await this.#deps.transport.settle()
    if (this.#isOver) return
    if (lateMs > STALL_MS && this.#stallRounds < STALL_ROUNDS_MAX) {
      this.#stallRounds += 1
      this.#waitUntil(this.#deps.clock.now() + STALL_GRACE_MS)
      return
    }
    this.#fail(this.#framer.sawCrc ? 'crc' : 'timeout')
  }

  #fail(reason: 'timeout' | 'crc' | 'line-lost'): void {
    if (this.#isOver) return
    this.#framer.end()
    this.#end({ ok: false, reason, sentAt: this.#sentAt(), strayBytes: this.#framer.strayBytes })
  }

  #sentAt(): number {
    return this.#wallAt + Math.round(this.#sentUntil - this.#startedAt)
  }

  #end(reply: Reply): void {
    this.#isOver = true
    this.#cancelTimer()
    this.#resolve({ ...reply, sentUntil: this.#sentUntil, isStuck: !this.#written && !reply.ok })
  }
}
