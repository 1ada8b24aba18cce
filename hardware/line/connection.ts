import type { Clock } from '../clock.ts'
import type { LineConfig } from '../config.ts'
import type { LineState } from './line.ts'
import type { Transport, TransportOpener } from './transport.ts'

/** The first tries come quickly: most losses are a plug that wiggles. */
const RETRY_MS_MIN = 50
/** Slow enough to cost nothing, quick enough for a reading within 2 s of the replug. */
const RETRY_MS_MAX = 500
/** A port that was lost sooner than this after it opened counts as one more failed try. */
const STABLE_MS = 1_000
/** A device server that does not answer takes seconds to fail; a stop does not wait so long. */
const STOP_MS_MAX = 50
/** Part of the delay left to chance, so that many lines do not try in step. */
const RETRY_JITTER = 0.2

export interface ConnectionDeps {
  readonly clock: Clock
  readonly random: () => number
  readonly open: TransportOpener
  readonly onBytes: (bytes: Uint8Array) => void
  readonly onState: (state: LineState, cause: string | null) => void
}

/** Delay before try number `attempt` (from 0) to open a port again, milliseconds. */
export function reopenDelayMs(attempt: number, random: () => number): number {
  const delayMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(attempt, 20))
  return delayMs * (1 - RETRY_JITTER + 2 * RETRY_JITTER * random())
}

/** Keeps one port open: opens it, sees its loss, opens it again until it is stopped. */
export class Connection {
  readonly #config: LineConfig
  readonly #deps: ConnectionDeps
  #state: LineState = 'closed'
  #cause: string | null = null
  #transport: Transport | null = null
  #attempt = 0
  #openedAt = Number.NEGATIVE_INFINITY
  #reopens = 0
  #stopped = false
  #cancelRetry: () => void = () => undefined
  #opening: Promise<void> = Promise.resolve()

  constructor(config: LineConfig, deps: ConnectionDeps) {
    this.#config = config
    this.#deps = deps
  }

  get state(): LineState {
    return this.#state
  }

  /** The open port, or null. */
  get transport(): Transport | null {
    return this.#transport
  }

  /** Times that the port was opened after it had been lost. */
  get reopens(): number {
    return this.#reopens
  }

  /** Resolves after the first attempt, whatever its outcome. */
  start(): Promise<void> {
    this.#stopped = false
    this.#opening = this.#open()
    return this.#opening
  }

  /** Gives up a port that no longer takes bytes, and opens it anew. */
  drop(cause: string): void {
    const transport = this.#transport
    if (transport === null) return
    this.#transport = null
    void transport.close()
    if (this.#deps.clock.now() - this.#openedAt >= STABLE_MS) this.#attempt = 0
    this.#enter('lost', cause)
    this.#retry()
  }

  /** Gives the port back. One that is just being opened is waited for a moment only, and given back when it is open. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelRetry()
    await Promise.race([this.#opening, this.#moment(STOP_MS_MAX)])
    const transport = this.#transport
    this.#transport = null
    this.#enter('closed', null)
    await transport?.close()
  }

  async #open(): Promise<void> {
    const lost: { cause?: string } = {}
    try {
      const transport = await this.#deps.open(this.#config, {
        onBytes: (bytes) => {
          if (this.#transport !== null) this.#deps.onBytes(bytes)
        },
        onLost: (cause) => {
          lost.cause = cause
          this.drop(cause)
        },
      })
      if (this.#stopped) {
        await transport.close()
        return
      }
      this.#transport = transport
      if (lost.cause !== undefined) {
        // Lost before it was ours: `drop` found nothing to drop then.
        this.drop(lost.cause)
        return
      }
      if (this.#openedAt > Number.NEGATIVE_INFINITY) this.#reopens += 1
      this.#openedAt = this.#deps.clock.now()
      this.#enter('open', null)
    } catch (error) {
      if (this.#stopped) return
      this.#enter('backoff', error instanceof Error ? error.message : String(error))
      this.#retry()
    }
  }

  #retry(): void {
    if (this.#stopped) return
    const delayMs = reopenDelayMs(this.#attempt, this.#deps.random)
    this.#attempt += 1
    this.#cancelRetry = this.#deps.clock.after(delayMs, () => {
      this.#opening = this.#open()
    })
  }

  #moment(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#deps.clock.after(ms, resolve)
    })
  }

  #enter(state: LineState, cause: string | null): void {
    if (state === this.#state && cause === this.#cause) return
    this.#state = state
    this.#cause = cause
    this.#deps.onState(state, cause)
  }
}
