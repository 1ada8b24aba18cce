import type { Clock } from '../../../hardware/clock.ts'
import type { HardwareEvent } from '../../../hardware/events.ts'
import type { Exchange, Line, LineState, LineStats, Reply } from '../../../hardware/line/line.ts'
import type { PolledDevice } from '../../../hardware/poll/device.ts'
import { Poller } from '../../../hardware/poll/poller.ts'
import type { Protocol, RawValue, Step } from '../../../hardware/protocol.ts'
import type { Reading } from '../../../hardware/reading.ts'

/** Time that passes only when nothing else is to be done; hours take milliseconds. */
export class VirtualClock implements Clock {
  #nowMs = 1000
  #jumpMs = Date.UTC(2026, 0, 1)
  #timers: { atMs: number; order: number; run: () => void }[] = []
  #order = 0

  now(): number {
    return this.#nowMs
  }

  wall(): number {
    return Math.floor(this.#jumpMs + this.#nowMs)
  }

  after(ms: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(0, ms), order: this.#order++, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  soon(run: () => void): () => void {
    return this.after(0, run)
  }

  /** Moves the wall clock, not time. */
  jump(ms: number): void {
    this.#jumpMs += ms
  }

  async pass(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve))
      const next = this.#timers.toSorted((a, b) => a.atMs - b.atMs || a.order - b.order)[0]
      if (next === undefined || next.atMs > untilMs) break
      this.#timers = this.#timers.filter((other) => other !== next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.run()
    }
    this.#nowMs = untilMs
  }
}

/** How a device behaves for one request: its answer after so many ms, or silence. */
export type Behaviour = (request: {
  block: string[]
  atMs: number
}) => { afterMs: number; answer: Uint8Array } | null

export const OK = 0
export const answering =
  (afterMs: number): Behaviour =>
  () => ({ afterMs, answer: Uint8Array.of(OK) })
export const refusing =
  (code: number): Behaviour =>
  () => ({ afterMs: 5, answer: Uint8Array.of(code) })
export const mute: Behaviour = () => null

/** A line on the virtual clock: 10 ms for each request, devices by address. */
export class VirtualLine implements Line {
  readonly id = 'port1'
  state: LineState = 'open'
  /** Every request and broadcast that went out. */
  readonly log: { address: number; block: string[]; atMs: number }[] = []
  readonly behaviours = new Map<number, Behaviour>()
  readonly #clock: VirtualClock
  readonly #listeners = new Set<(state: LineState, cause: string | null) => void>()
  readonly #sniffers = new Set<(bytes: Uint8Array, at: number) => void>()
  #quietUntilMs = 0

  constructor(clock: VirtualClock) {
    this.#clock = clock
  }

  start(): Promise<void> {
    this.set(this.state)
    return Promise.resolve()
  }

  set(state: LineState): void {
    this.state = state
    for (const listener of this.#listeners) listener(state, null)
  }

  async exchange(exchange: Exchange): Promise<Reply> {
    await this.#busy(Math.max(0, this.#quietUntilMs - this.#clock.now()) + 10)
    const sentAt = this.#clock.wall()
    if (this.state !== 'open') return { ok: false, reason: 'line-lost', sentAt, strayBytes: 0 }
    const [address = 0] = exchange.tx
    const block = new TextDecoder().decode(exchange.tx.subarray(1)).split(',')
    this.log.push({ address, block, atMs: this.#clock.now() })
    const outcome = this.behaviours.get(address)?.({ block, atMs: this.#clock.now() }) ?? null
    if (outcome !== null && outcome.afterMs > exchange.timeoutMs) {
      this.#clock.after(outcome.afterMs, () => {
        for (const listener of this.#sniffers) listener(Uint8Array.of(address, ...outcome.answer), 0)
      })
    }
    if (outcome === null || outcome.afterMs > exchange.timeoutMs) {
      await this.#busy(exchange.timeoutMs)
      this.#quietUntilMs = this.#clock.now() + exchange.lateMs
      return { ok: false, reason: 'timeout', sentAt, strayBytes: 0 }
    }
    await this.#busy(outcome.afterMs)
    return { ok: true, frame: outcome.answer, sentAt, tookMs: outcome.afterMs, strayBytes: 0 }
  }

  async send(tx: Uint8Array): Promise<{ ok: boolean; sentAt: number }> {
    await this.#busy(10)
    this.log.push({ address: 0, block: [new TextDecoder().decode(tx.subarray(1))], atMs: this.#clock.now() })
    return { ok: this.state === 'open', sentAt: this.#clock.wall() }
  }

  sniff(onBytes: (bytes: Uint8Array, at: number) => void): () => void {
    this.#sniffers.add(onBytes)
    return () => void this.#sniffers.delete(onBytes)
  }

  onState(listener: (state: LineState, cause: string | null) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  stats(): LineStats {
    const none = { timeouts: 0, crcErrors: 0, strayBytes: 0, lateReplies: 0, gapViolations: 0, reopens: 0 }
    return { exchanges: this.log.length, ...none, utilisation: 0 }
  }

  stop(): Promise<void> {
    return Promise.resolve()
  }

  #busy(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.after(ms, resolve))
  }
}

/** Blocks of at most `blockMax` channels; the answer's one byte is an exception, or 0. */
function textProtocol(blockMax: number, head: (address: number) => Step[]): Protocol {
  const encode = (address: number, block: string[]): Uint8Array =>
    Uint8Array.of(address, ...new TextEncoder().encode(block.join(',')))
  return {
    plan(address, channels, splits) {
      const blocks: string[][] = []
      for (const channel of channels) {
        const last = blocks.at(-1)
        if (last === undefined || last.length >= blockMax || splits.has(channel)) blocks.push([channel])
        else last.push(channel)
      }
      const step = (block: string[]): Step => ({
        kind: 'exchange',
        tx: encode(address, block),
        match: (rx) => (rx[0] === address && rx.length > 1 ? { frame: [0, 2] } : { need: 1 }),
        rxBytes: 1,
        channels: block,
        token: null,
      })
      return [...head(address), ...blocks.map(step)]
    },
    decode(step, frame) {
      const [exception = 0] = frame
      if (exception !== OK) return { ok: false, reason: `exception-${exception}`, exception }
      const value = (channel: string): RawValue => ({ channel, value: 1, reason: null, payloadBytes: 2 })
      return { ok: true, values: step.channels.map(value) }
    },
  }
}

export interface VirtualDevice extends Partial<PolledDevice> {
  readonly id: string
  readonly address: number
  readonly blockMax?: number
  readonly head?: (address: number) => Step[]
}

export function device(given: VirtualDevice): PolledDevice {
  const { blockMax = 10, head = () => [], ...over } = given
  return {
    everyMs: 1000,
    protocol: textProtocol(blockMax, head),
    channels: ['a'],
    profileKey: 'virtual/1',
    alarms: false,
    gapMs: 4,
    timeoutMs: 500,
    thinkMs: 5,
    lateMs: 300,
    busyRetryMs: 100,
    sleeps: false,
    readings: (harvest) => {
      const base = { device: given.id, sensor: 'main', takenAt: harvest.takenAt, unit: '1', derived: false }
      const rest = { calibration: 0, alarm: false, payloadBytes: 0 }
      return [
        ...harvest.raw.map(
          ({ channel, value }): Reading => ({
            ...base,
            ...rest,
            channel,
            value,
            quality: 'good',
            reason: null,
          }),
        ),
        ...[...harvest.failed].map(
          ([channel, reason]): Reading => ({
            ...base,
            ...rest,
            channel,
            value: null,
            quality: 'bad',
            reason,
          }),
        ),
      ]
    },
    ...over,
  }
}

/** A poller on a virtual line, with everything it said. */
export function stage(devices: readonly PolledDevice[], splits: Record<string, string[]> = {}) {
  const clock = new VirtualClock()
  const line = new VirtualLine(clock)
  const readings: Reading[] = []
  const events: HardwareEvent[] = []
  const poller = new Poller(
    { line, speed: { baud: 9600, format: '8E1' }, load: 0, devices, splits: new Map(Object.entries(splits)) },
    {
      clock,
      random: () => 0.5,
      onReadings: (batch) => void readings.push(...batch),
      onEvent: (event) => void events.push(event),
    },
  )
  const abort = new AbortController()
  return {
    clock,
    line,
    poller,
    readings,
    events,
    /** When requests for this address went out, monotonic ms. */
    times: (address: number): number[] =>
      line.log.filter((entry) => entry.address === address).map(({ atMs }) => atMs),
    start: (): Promise<void> => poller.run(abort.signal),
    stop: (): void => {
      abort.abort()
    },
  }
}

export const intervals = (times: readonly number[]): number[] =>
  times.slice(1).map((time, index) => time - (times[index] ?? 0))

export type Stage = ReturnType<typeof stage>

/** Runs the devices for so long, all answering after 5 ms unless said otherwise by `prepare`. */
export async function play(
  devices: readonly VirtualDevice[],
  script: (stage: Stage) => Promise<void>,
  splits: Record<string, string[]> = {},
): Promise<Stage> {
  const played = stage(devices.map(device), splits)
  for (const { address } of devices) played.line.behaviours.set(address, answering(5))
  const ended = played.start()
  await script(played)
  played.stop()
  await played.clock.pass(10_000)
  await ended
  return played
}

/** Ten devices of one kind. */
export const ten = Array.from({ length: 10 }, (_, n): VirtualDevice => ({ id: `tilt-${n}`, address: n + 1 }))
