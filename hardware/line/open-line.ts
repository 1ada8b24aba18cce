import { type Clock, atExactly } from '../clock.ts'
import type { LineConfig } from '../config.ts'
import { Attempt, type AttemptResult } from './attempt.ts'
import { Connection } from './connection.ts'
import type { EchoMemory } from './framing.ts'
import type { Exchange, Line, LineState, LineStats, Reply } from './line.ts'
import { TurnQueue } from './queue.ts'
import { Silence } from './silence.ts'
import { Tally } from './tally.ts'
import { type LineTiming, timingOf } from './timing.ts'
import { openTransport } from './open-transport.ts'
import type { TransportOpener } from './transport.ts'

/** Longest wait for a silence that a talker does not give; its own time-out where that is longer. */
const TALKER_MS_MAX = 250
/** What comes right after opening may answer what an earlier process asked. */
const OPEN_QUIET_MS = 100
/** The end of what we send is computed, not seen: an adapter or a device server may begin that much later. */
const SEND_UNCERTAINTY_MS = 10

export interface LineDeps {
  readonly clock: Clock
  /** 0 to 1; spreads the tries to reopen. */
  readonly random?: () => number
  /** How a port is opened; the real way where it is left out. */
  readonly open?: TransportOpener
}

/** The line of this configuration, closed: `start` opens it. */
export function openLine(config: LineConfig, deps: LineDeps): Line {
  return new SerialLine(config, deps)
}

class SerialLine implements Line {
  readonly id: string
  readonly #clock: Clock
  readonly #timing: LineTiming
  readonly #connection: Connection
  readonly #queue = new TurnQueue()
  readonly #silence = new Silence()
  readonly #tally: Tally
  readonly #sniffers = new Set<(bytes: Uint8Array, at: number) => void>()
  readonly #watchers = new Set<(state: LineState, cause: string | null) => void>()
  #echo: EchoMemory = { echoes: false }
  #attempt: Attempt | null = null
  #wake: () => void = () => undefined
  #lateCounted = true
  /** Bytes of our own that the adapter will give back, after a request without an answer. */
  #echoBytesDue = 0

  constructor(config: LineConfig, { clock, random = Math.random, open = openTransport }: LineDeps) {
    this.id = config.id
    this.#clock = clock
    this.#timing = timingOf(config.baud, config.format)
    this.#tally = new Tally(clock.now())
    this.#connection = new Connection(config, {
      clock,
      random,
      open,
      onBytes: (bytes) => {
        this.#hear(bytes)
      },
      onState: (state, cause) => {
        this.#changeState(state, cause)
      },
    })
  }

  get state(): LineState {
    return this.#connection.state
  }

  async start(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    signal.addEventListener('abort', () => void this.stop(), { once: true })
    await this.#connection.start()
  }

  stop(): Promise<void> {
    return this.#connection.stop()
  }

  exchange(exchange: Exchange): Promise<Reply> {
    return this.#takeTurn(() => this.#ask(exchange))
  }

  send(tx: Uint8Array, gapMs: number): Promise<{ ok: boolean; sentAt: number }> {
    return this.#takeTurn(() => this.#tell(tx, gapMs))
  }

  sniff(onBytes: (bytes: Uint8Array, at: number) => void): () => void {
    this.#sniffers.add(onBytes)
    return () => void this.#sniffers.delete(onBytes)
  }

  onState(listener: (state: LineState, cause: string | null) => void): () => void {
    this.#watchers.add(listener)
    return () => void this.#watchers.delete(listener)
  }

  stats(): LineStats {
    const { exchanges, timeouts, crcErrors, strayBytes, lateReplies, gapViolations } = this.#tally
    const utilisation = this.#tally.utilisation(this.#clock.now())
    const { reopens } = this.#connection
    return { exchanges, timeouts, crcErrors, strayBytes, lateReplies, gapViolations, reopens, utilisation }
  }

  #takeTurn<Result>(turn: () => Promise<Result>): Promise<Result> {
    return this.#queue.use(async () => {
      this.#tally.busy(this.#clock.now())
      try {
        return await turn()
      } finally {
        this.#tally.idle(this.#clock.now())
      }
    })
  }

  async #ask(exchange: Exchange): Promise<Reply> {
    this.#tally.exchanges += 1
    const strayBefore = this.#tally.strayBytes
    const strayBytes = (): number => this.#tally.strayBytes - strayBefore
    const gapMs = Math.max(exchange.gapMs, this.#timing.t35Ms)
    const isQuiet = await this.#quiet(gapMs, Math.max(TALKER_MS_MAX, exchange.timeoutMs))
    const { transport } = this.#connection
    if (!isQuiet || transport === null) {
      const reason = transport === null ? 'line-lost' : 'timeout'
      if (reason === 'timeout') this.#tally.timeouts += 1
      return { ok: false, reason, sentAt: this.#clock.wall(), strayBytes: strayBytes() }
    }
    const { characterMs } = this.#timing
    this.#attempt = new Attempt(exchange, { clock: this.#clock, transport, echo: this.#echo, characterMs })
    const { sentUntil, isStuck, ...reply } = await this.#attempt.run()
    this.#attempt = null
    this.#tally.strayBytes += reply.strayBytes
    if (!reply.ok) this.#afterFailure(exchange, { ...reply, sentUntil, isStuck })
    return { ...reply, strayBytes: strayBytes() }
  }

  #afterFailure({ timeoutMs, lateMs }: Exchange, result: AttemptResult & { ok: false }): void {
    const now = this.#clock.now()
    switch (result.reason) {
      case 'timeout':
        this.#tally.timeouts += 1
        break
      case 'crc':
        this.#tally.crcErrors += 1
        break
      case 'line-lost':
        // The device may have heard it, and answers when the plug is back.
        this.#silence.keepUntil(result.sentUntil + timeoutMs + lateMs)
        return
    }
    // RTU has no transaction numbers: only waiting tells a late answer from the next one.
    this.#silence.keepUntil(now + lateMs)
    this.#lateCounted = false
    if (result.isStuck) this.#connection.drop('the port takes no bytes')
  }

  async #tell(tx: Uint8Array, gapMs: number): Promise<{ ok: boolean; sentAt: number }> {
    const isQuiet = await this.#quiet(Math.max(gapMs, this.#timing.t35Ms), TALKER_MS_MAX)
    const { transport } = this.#connection
    if (!isQuiet || transport === null) return { ok: false, sentAt: this.#clock.wall() }
    const wallAt = this.#clock.wall()
    const startedAt = this.#clock.now()
    this.#echoBytesDue = this.#echo.echoes ? tx.length : 0
    const isWritten = await transport.write(tx).then(
      () => true,
      () => false,
    )
    const sentUntil = Math.max(this.#clock.now(), startedAt + tx.length * this.#timing.characterMs)
    this.#silence.heard(sentUntil + SEND_UNCERTAINTY_MS)
    this.#silence.keepUntil(sentUntil + SEND_UNCERTAINTY_MS + gapMs)
    await this.#until(sentUntil)
    return { ok: isWritten, sentAt: wallAt + Math.round(sentUntil - startedAt) }
  }

  /**
   * Waits for `gapMs` of silence in which nothing lies unread; false where the port went away or somebody talks
   * longer than `talkerMs`: nothing is sent into that.
   */
  async #quiet(gapMs: number, talkerMs: number): Promise<boolean> {
    const giveUpAt = Math.max(this.#clock.now(), this.#silence.keptUntil) + talkerMs + gapMs
    for (;;) {
      const { transport } = this.#connection
      if (transport === null) return false
      const dueAt = this.#silence.endsAt(gapMs)
      if (dueAt > this.#clock.now()) {
        if (dueAt > giveUpAt) {
          this.#tally.gapViolations += 1
          return false
        }
        await this.#until(dueAt)
        continue
      }
      // Timers come before input: what arrived while we waited, or stood still, is only seen now.
      await transport.settle()
      if (this.#silence.endsAt(gapMs) <= this.#clock.now()) return this.#connection.transport === transport
    }
  }

  /** Waits until `due`, or until the port is lost. */
  #until(due: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = atExactly(this.#clock, due, resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
  }

  #hear(bytes: Uint8Array): void {
    const now = this.#clock.now()
    this.#silence.heard(now)
    for (const sniffer of this.#sniffers) sniffer(bytes, this.#clock.wall())
    if (this.#attempt !== null) {
      this.#attempt.onBytes(bytes)
      return
    }
    const echoed = Math.min(bytes.length, this.#echoBytesDue)
    this.#echoBytesDue -= echoed
    this.#tally.strayBytes += bytes.length - echoed
    if (this.#lateCounted || !this.#silence.isKept(now)) return
    this.#lateCounted = true
    this.#tally.lateReplies += 1
  }

  #changeState(state: LineState, cause: string | null): void {
    if (state === 'open') {
      this.#echo = { echoes: false }
      this.#silence.keepUntil(this.#clock.now() + OPEN_QUIET_MS)
    } else {
      this.#attempt?.lose()
      this.#wake()
    }
    for (const watcher of this.#watchers) watcher(state, cause)
  }
}
