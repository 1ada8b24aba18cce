import type { Clock } from '../clock.ts'
import type { Line, Reply } from '../line/line.ts'
import type { RawValue, Step } from '../protocol.ts'
import type { Reason } from '../reading.ts'
import type { ExchangeStep, PolledDevice } from './device.ts'
import type { Patience } from './timeout.ts'

/** Exceptions by which a device asks for time: acknowledge and busy (MODBUS Application Protocol V1.1b3, 7). */
const BUSY_EXCEPTIONS: readonly number[] = [5, 6]
/** Exceptions by which a device refuses what a block covers: illegal address, illegal value. */
const BLOCK_EXCEPTIONS: readonly number[] = [2, 3]
export type Verdict = 'whole' | 'partly' | 'silent' | 'busy' | 'line-lost'

/** An answer that was given up. Until it came, or can no longer come, its device must not be asked for anything else. */
export interface OwedAnswer {
  readonly match: ExchangeStep['match']
  /** Monotonic ms. */
  readonly untilMs: number
}

/** What came of asking one device once. */
export interface AttemptResult {
  readonly verdict: Verdict
  readonly raw: readonly RawValue[]
  readonly failed: ReadonlyMap<string, Reason>
  /** Wall clock when the first answered request had been sent, else the first request; null = none was sent. */
  readonly takenAt: number | null
  /** Monotonic time of the same. */
  readonly sentMs: number
  /** The answer to the last request may still come. */
  readonly owed: OwedAnswer | null
  /** Channels that must begin a block of their own, learnt now. */
  readonly splits: readonly string[]
}

export interface AttemptPorts {
  readonly line: Pick<Line, 'exchange' | 'send'>
  readonly clock: Clock
  /** A device that answered none of so many exchanges is not asked for the rest. */
  readonly silencesMax: number
  /** Nothing where `ms` is past. */
  sleep(ms: number): Promise<void>
  patience(step: ExchangeStep, which: 'first' | 'again'): Patience
  /** Whether there is time to ask again, if that ends at `endMs` (monotonic). */
  mayRetry(step: ExchangeStep, endMs: number): boolean
  observe(step: ExchangeStep, reply: Reply): void
}

type Next =
  | { readonly kind: 'on' }
  | { readonly kind: 'instead'; readonly steps: readonly Step[] }
  | { readonly kind: 'stop'; readonly reason: Reason }

const ON: Next = { kind: 'on' }

/** Works through a device's steps, asks again where time allows, splits blocks that the device refuses. */
export async function attempt(
  device: PolledDevice,
  steps: readonly Step[],
  ports: AttemptPorts,
): Promise<AttemptResult> {
  const run = new Attempt(device, ports)
  const queue = [...steps]
  for (let step = queue.shift(); step !== undefined; step = queue.shift()) {
    const next = await run.take(step)
    if (next.kind === 'instead') queue.unshift(...next.steps)
    if (next.kind === 'stop') {
      for (const left of queue) if (left.kind === 'exchange') run.fail(left.channels, next.reason)
      break
    }
  }
  return run.result()
}

class Attempt {
  readonly #device: PolledDevice
  readonly #ports: AttemptPorts
  readonly #raw: RawValue[] = []
  readonly #failed = new Map<string, Reason>()
  readonly #splits = new Set<string>()
  #sent: { at: number; ms: number } | null = null
  #answers = 0
  #owed: OwedAnswer | null = null
  #silences = 0
  #ended: 'busy' | 'line-lost' | null = null

  constructor(device: PolledDevice, ports: AttemptPorts) {
    this.#device = device
    this.#ports = ports
  }

  async take(step: Step): Promise<Next> {
    switch (step.kind) {
      case 'wait':
        await this.#ports.sleep(step.ms)
        return ON
      case 'broadcast': {
        const { ok } = await this.#ports.line.send(step.tx, this.#device.gapMs)
        return ok ? ON : this.#lineLost([])
      }
      case 'exchange':
        return this.#exchange(step)
    }
  }

  fail(channels: readonly string[], reason: Reason): void {
    for (const channel of channels) this.#failed.set(channel, reason)
  }

  result(): AttemptResult {
    return {
      verdict: this.#verdict(),
      raw: this.#raw,
      failed: this.#failed,
      takenAt: this.#sent?.at ?? null,
      sentMs: this.#sent?.ms ?? this.#ports.clock.now(),
      owed: this.#owed,
      splits: [...this.#splits],
    }
  }

  #verdict(): Verdict {
    if (this.#ended !== null) return this.#ended
    if (this.#answers === 0) return 'silent'
    return this.#failed.size === 0 ? 'whole' : 'partly'
  }

  async #exchange(step: ExchangeStep): Promise<Next> {
    const reply = await this.#ask(step)
    if (reply.ok) {
      this.#answers += 1
      return this.#read(step, reply.frame)
    }
    if (reply.reason === 'line-lost') return this.#lineLost(step.channels)
    this.fail(step.channels, reply.reason)
    this.#silences += 1
    const silent = this.#answers === 0 && this.#silences >= this.#ports.silencesMax
    // A write that was not confirmed leaves the device in an unknown state: what follows would measure that.
    return silent || step.channels.length === 0 ? { kind: 'stop', reason: reply.reason } : ON
  }

  async #ask(step: ExchangeStep): Promise<Reply> {
    const first = await this.#once(step, this.#ports.patience(step, 'first'))
    if (first.ok || first.reason === 'line-lost') return first
    const again = this.#ports.patience(step, 'again')
    const fromMs = Math.max(this.#ports.clock.now() + this.#device.gapMs, this.#owed?.untilMs ?? 0)
    return this.#ports.mayRetry(step, fromMs + again.timeoutMs) ? this.#once(step, again) : first
  }

  async #once(step: ExchangeStep, { timeoutMs, lateMs }: Patience): Promise<Reply> {
    const { line, clock } = this.#ports
    // A late answer names its device, but not its request: only this device must wait for it, the line need not.
    if (this.#owed !== null) await this.#ports.sleep(this.#owed.untilMs - clock.now())
    const begunMs = clock.now()
    const { tx, match } = step
    const reply = await line.exchange({ tx, match, timeoutMs, gapMs: this.#device.gapMs, lateMs: 0 })
    if (this.#answers === 0 && (reply.ok || this.#sent === null)) {
      this.#sent = { at: reply.sentAt, ms: reply.ok ? clock.now() - reply.tookMs : begunMs }
    }
    this.#owed = !reply.ok && reply.reason !== 'line-lost' ? { match, untilMs: clock.now() + lateMs } : null
    this.#ports.observe(step, reply)
    return reply
  }

  #read(step: ExchangeStep, frame: Uint8Array): Next {
    const decoded = this.#device.protocol.decode(step, frame)
    if (decoded.ok) {
      this.#raw.push(...decoded.values)
      return ON
    }
    if (BUSY_EXCEPTIONS.includes(decoded.exception)) {
      this.#ended = 'busy'
      this.fail(step.channels, decoded.reason)
      return { kind: 'stop', reason: decoded.reason }
    }
    if (BLOCK_EXCEPTIONS.includes(decoded.exception) && step.channels.length > 1) return this.#split(step)
    this.fail(step.channels, decoded.reason)
    return step.channels.length === 0 ? { kind: 'stop', reason: decoded.reason } : ON
  }

  /** Halves a refused block: after a few turns each channel that can be read is, and only the others fail. */
  #split(step: ExchangeStep): Next {
    const middle = step.channels[Math.floor(step.channels.length / 2)]
    if (middle === undefined) return ON
    this.#splits.add(middle)
    const { address, protocol } = this.#device
    const halves = [
      step.channels.slice(0, step.channels.indexOf(middle)),
      step.channels.slice(step.channels.indexOf(middle)),
    ]
    // Planned apart, so that the halves cannot be joined again; a trigger is not repeated.
    const steps = halves.flatMap((channels) => protocol.plan(address, channels, this.#splits))
    return { kind: 'instead', steps: steps.filter(({ kind }) => kind === 'exchange') }
  }

  #lineLost(channels: readonly string[]): Next {
    this.#ended = 'line-lost'
    this.fail(channels, 'line-lost')
    return { kind: 'stop', reason: 'line-lost' }
  }
}
