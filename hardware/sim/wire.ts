import { type Clock, atExactly } from '../clock.ts'
import type { Format } from '../config.ts'
import { type LineTiming, timingOf } from '../line/timing.ts'
import { type Noise, nextBurst } from './noise.ts'
import { type Transmission, garble, overlap, passedBytes, turnBits } from './transmission.ts'

/** A port that writes faster than the wire sends loses what is above this, as a UART without flow control does. */
const PENDING_BYTES_MAX = 65_536

export interface WireConfig {
  readonly baud: number
  readonly format: Format
  readonly clock: Clock
  /** 0 to 1, as Math.random. */
  readonly random: () => number
  /** The master hears its own bytes, as behind a two-wire adapter without echo suppression. */
  readonly echo?: boolean
  readonly noise?: Noise
}

export interface WirePort {
  /**
   * Puts bytes on the wire, one character time each, behind what this port is still sending.
   * `notBefore` (of `clock.now()`) delays the first byte exactly: a device answers at `at + t35 + think` without a timer.
   */
  send(bytes: Uint8Array, notBefore?: number): void
  /** `at` is the moment at which the last of these bytes ended on the wire. Returns the way to stop. */
  onBytes(listener: (bytes: Uint8Array, at: number) => void): () => void
  /** Stops hearing and sending; what is under way is cut off. */
  leave(): void
}

export interface WireStats {
  readonly bytes: number
  /** Times that a port began while another was sending. */
  readonly collisions: number
  readonly garbledBytes: number
  readonly noiseBytes: number
  readonly droppedBytes: number
  /** Frames that the master began. */
  readonly masterFrames: number
  /** Frames of the master that began less than t3.5 after the last byte on the wire. */
  readonly shortGaps: number
  /** Infinity before the second frame. */
  readonly shortestGapMs: number
}

/** A half-duplex wire: every port hears the others at real character times; who talks at the same time is garbled. */
export interface Wire {
  readonly timing: LineTiming
  /** The port named `master` is the one whose gaps are judged and who hears the echo. */
  join(name: string): WirePort
  /** Puts bytes on the wire that nobody sent. */
  disturb(bytes: Uint8Array): void
  setNoise(noise: Noise | null): void
  setEcho(echo: boolean): void
  stats(): WireStats
  /** Silences the wire for good. */
  close(): void
}

/** The name under which the one who asks joins. */
export const MASTER = 'master'
/** So near its end a transmission is timed exactly; before, timers do. */
const EXACT_MS = 2

interface Member {
  readonly name: string
  readonly listeners: Set<(bytes: Uint8Array, at: number) => void>
  freeAt: number
}

/** A wire at `baud` with nobody on it. */
export function createWire(config: WireConfig): Wire {
  return new PacedWire(config)
}

class PacedWire implements Wire {
  readonly timing: LineTiming
  readonly #config: WireConfig
  readonly #members = new Set<Member>()
  #transmissions: Transmission<Member>[] = []
  #echo: boolean
  #noise: Noise | null = null
  #cancelTick: () => void = () => undefined
  #cancelNoise: () => void = () => undefined
  #closed = false
  #lastEndAt = Number.NEGATIVE_INFINITY
  #stats = {
    bytes: 0,
    collisions: 0,
    garbledBytes: 0,
    noiseBytes: 0,
    droppedBytes: 0,
    masterFrames: 0,
    shortGaps: 0,
    shortestGapMs: Number.POSITIVE_INFINITY,
  }

  constructor(config: WireConfig) {
    this.#config = config
    this.timing = timingOf(config.baud, config.format)
    this.#echo = config.echo ?? false
    this.setNoise(config.noise ?? null)
  }

  join(name: string): WirePort {
    const member: Member = { name, listeners: new Set(), freeAt: Number.NEGATIVE_INFINITY }
    this.#members.add(member)
    return {
      send: (bytes, notBefore = Number.NEGATIVE_INFINITY) => {
        if (this.#members.has(member)) this.#send(member, bytes, notBefore)
      },
      onBytes: (listener) => {
        member.listeners.add(listener)
        return () => void member.listeners.delete(listener)
      },
      leave: () => {
        this.#members.delete(member)
        this.#transmissions = this.#transmissions.filter(({ from }) => from !== member)
      },
    }
  }

  disturb(bytes: Uint8Array): void {
    if (this.#closed || bytes.length === 0) return
    this.#stats.noiseBytes += bytes.length
    this.#transmit(null, bytes, this.#config.clock.now())
  }

  setEcho(echo: boolean): void {
    this.#echo = echo
  }

  setNoise(noise: Noise | null): void {
    this.#noise = noise
    this.#cancelNoise()
    if (noise !== null && !this.#closed) this.#scheduleNoise(noise)
  }

  stats(): WireStats {
    return { ...this.#stats }
  }

  close(): void {
    this.#closed = true
    this.#cancelNoise()
    this.#cancelTick()
    this.#members.clear()
    this.#transmissions = []
  }

  #scheduleNoise(noise: Noise): void {
    const burst = nextBurst(noise, this.#config.random)
    if (burst === null) return
    this.#cancelNoise = this.#config.clock.after(burst.inMs, () => {
      this.disturb(burst.bytes)
      this.#scheduleNoise(noise)
    })
  }

  #send(member: Member, bytes: Uint8Array, notBefore: number): void {
    if (bytes.length === 0) return
    const now = this.#config.clock.now()
    const startAt = Math.max(now, notBefore, member.freeAt)
    const room = PENDING_BYTES_MAX - Math.ceil(Math.max(0, member.freeAt - now) / this.timing.characterMs)
    const taken = bytes.slice(0, Math.max(0, room))
    this.#stats.droppedBytes += bytes.length - taken.length
    if (taken.length === 0) return
    if (member.name === MASTER && startAt > member.freeAt) this.#judgeGap(startAt)
    member.freeAt = this.#transmit(member, taken, startAt)
  }

  #judgeGap(startAt: number): void {
    this.#stats.masterFrames += 1
    // What is under way was not silence: a collision, counted as such, and no gap at all.
    const lastEndAt = this.#transmissions.reduce(
      (last, other) => (other.startAt < startAt ? Math.max(last, Math.min(other.endAt, startAt)) : last),
      this.#lastEndAt,
    )
    const gapMs = startAt - lastEndAt
    this.#stats.shortestGapMs = Math.min(this.#stats.shortestGapMs, gapMs)
    if (gapMs < this.timing.t35Ms) this.#stats.shortGaps += 1
  }

  #transmit(from: Member | null, bytes: Uint8Array, startAt: number): number {
    const endAt = startAt + bytes.length * this.timing.characterMs
    this.#transmissions.push({ from, bytes, startAt, endAt, delivered: 0, collided: false })
    this.#schedule()
    return endAt
  }

  /** Wakes exactly where a transmission ends, and about every millisecond of one, so that bytes come as they would. */
  #schedule(): void {
    this.#cancelTick()
    if (this.#closed || this.#transmissions.every(({ delivered, bytes }) => delivered === bytes.length))
      return
    const { clock } = this.#config
    const tick = (): void => {
      this.#deliverDue(clock.now())
      this.#schedule()
    }
    const now = clock.now()
    const pending = this.#transmissions.filter(({ delivered, bytes }) => delivered < bytes.length)
    const endAt = Math.min(...pending.map((one) => one.endAt))
    const nextAt = Math.min(
      ...pending.map((one) => one.startAt + (one.delivered + 1) * this.timing.characterMs),
    )
    // Inside a frame it is enough to hand over what has become due: a UART's FIFO does the same.
    const sleepMs = Math.max(1, Math.min(nextAt, endAt - EXACT_MS) - now)
    const isNear = endAt - now <= EXACT_MS
    this.#cancelTick = isNear ? atExactly(clock, endAt, tick) : clock.after(sleepMs, tick)
  }

  #deliverDue(now: number): void {
    const { characterMs } = this.timing
    for (const one of this.#transmissions) {
      const from = one.delivered
      const passed = passedBytes(one, now, characterMs)
      if (passed <= from) continue
      const heard = this.#heard(one, from, passed)
      one.delivered = passed
      const at = one.startAt + passed * characterMs
      this.#lastEndAt = Math.max(this.#lastEndAt, at)
      this.#stats.bytes += heard.length
      for (const member of this.#members) {
        if (member === one.from && !(this.#echo && member.name === MASTER)) continue
        for (const listener of member.listeners) listener(heard, at)
      }
    }
    this.#transmissions = this.#transmissions.filter(({ endAt }) => endAt > now - characterMs)
  }

  /** The bytes from `from` to `to` as the others hear them: those that met another's are garbled. */
  #heard(one: Transmission<Member>, from: number, to: number): Uint8Array {
    const { characterMs } = this.timing
    const { random } = this.#config
    const heard = one.bytes.slice(from, to)
    for (const other of this.#transmissions.filter((candidate) => overlap(one, candidate))) {
      if (!one.collided && !other.collided) this.#stats.collisions += 1
      one.collided = true
      other.collided = true
      this.#stats.garbledBytes += garble(heard, one, { from, characterMs, other, random })
    }
    this.#stats.garbledBytes += turnBits(heard, this.#noise?.byteErrorRate ?? 0, random)
    return heard
  }
}
