import type { DeviceStats } from '../events.ts'
import type { Step } from '../protocol.ts'
import type { Reading, Reason } from '../reading.ts'
import type { AttemptResult, OwedAnswer } from './attempt.ts'
import type { PolledDevice } from './device.ts'
import {
  type DeviceHealth,
  type DeviceInput,
  LOST_AFTER_FAILURES,
  NEW_DEVICE,
  nextDeviceHealth,
} from './health.ts'
import type { PollerPorts } from './ports.ts'
import { type Job, afterAnswer, afterLoss, afterSilence, askedNow, firstJob, postponed } from './scheduler.ts'
import { slotOffsetMs } from './slots.ts'
import { NO_THINK_TIMES, type Patience, type ThinkTimes, patience, withAnswer } from './timeout.ts'
import { type Trigger, triggerOf } from './trigger.ts'

/** A device that stays busy through so many polls in a row gives a bad reading. */
const BUSY_TRIES_MAX = 3

/**
 * Of a failing device every third poll waits as long as its profile allows, the others as long as it used to take:
 * a dead device costs little then, and one that became slow is found all the same.
 */
const WHOLE_PATIENCE_EVERY = 3

/** The longest answers are half as long. */
const HEARD_BYTES_MAX = 1_024

export interface StationConfig {
  readonly lineId: string
  readonly ports: PollerPorts
  readonly splits: readonly string[]
}

/** What the poller remembers of one device between polls. */
export class Station {
  readonly device: PolledDevice
  readonly #config: StationConfig
  readonly #splits: Set<string>
  job: Job
  #trigger: Trigger
  #health: DeviceHealth = NEW_DEVICE
  #times: ThinkTimes = NO_THINK_TIMES
  #busyTries = 0
  #lineAwayTold = false
  #asked = false
  /** Channels that gave no answer last time, while others did. */
  #mute: ReadonlySet<string> = new Set()
  #owed: OwedAnswer | null = null
  /** What the line said since that answer was given up. */
  #heard = new Uint8Array(0)
  #polls = 0
  #failures = 0
  #lastAnswerAt: number | null = null

  constructor(device: PolledDevice, config: StationConfig) {
    this.device = device
    this.#config = config
    this.#splits = new Set(config.splits)
    this.#trigger = this.#plan()
    // Devices that one trigger serves share a slot; all others are spread.
    const slotName = this.#trigger.key === null ? device.id : `${config.lineId} ${this.#trigger.key}`
    const offsetMs = slotOffsetMs(slotName, device.everyMs)
    const urgency = device.alarms ? 'alarm' : 'normal'
    this.job = firstJob({ device: device.id, everyMs: device.everyMs, offsetMs, urgency }, this.#nowMs())
  }

  get trigger(): Trigger {
    return this.#trigger
  }

  /** Tells the state once at start, so that whoever listens knows every device. */
  announce(): void {
    this.#tell()
  }

  /** At once, then in its slots; back-offs forgotten. */
  beginAnew(atMs: number): void {
    this.#lineAwayTold = false
    this.#busyTries = 0
    const { missed, heldUntilMs } = this.job
    this.job = { ...firstJob(this.job, atMs), missed, heldUntilMs }
  }

  /** An operator wants a poll that begins from now on. */
  ask(): void {
    this.#asked = true
    this.job = askedNow(this.job, this.#nowMs())
  }

  /** A poll begins: it serves whoever asked before. */
  begin(): void {
    this.#asked = false
  }

  /** True where these bytes bring the answer that the device owed: it may be asked again. */
  hear(bytes: Uint8Array): boolean {
    if (this.#owed === null) return false
    if (this.#nowMs() < this.#owed.untilMs) {
      this.#heard = Uint8Array.from([...this.#heard, ...bytes]).subarray(-HEARD_BYTES_MAX)
      if (!('frame' in this.#owed.match(this.#heard))) return false
    }
    this.#owed = null
    this.job = { ...this.job, heldUntilMs: 0 }
    return true
  }

  /**
   * What to send now. A device that fails is asked for another block first each time, in case one alone is mute; of a
   * device that is well, blocks without an answer come last, so that nothing waits behind them.
   */
  steps(): readonly Step[] {
    const { rest } = this.#trigger
    if (rest.some((step) => step.kind !== 'exchange' || step.channels.length === 0)) return rest
    const turn = this.#health.failures % Math.max(1, rest.length)
    const turned = [...rest.slice(turn), ...rest.slice(0, turn)]
    return turned.toSorted((a, b) => Number(this.#isMute(a)) - Number(this.#isMute(b)))
  }

  /** Exchanges without an answer that end a poll: a well device may have one mute block, a failing one costs little. */
  get silencesMax(): number {
    return this.#health.failures === 0 ? 2 : 1
  }

  /** How long to wait for an answer of `rxMs` on the wire. */
  patience(rxMs: number, which: 'first' | 'again'): Patience {
    const { timeoutMs: ceilingMs, lateMs } = this.device
    const { failures } = this.#health
    const whole = which === 'again' || (failures > 0 && failures % WHOLE_PATIENCE_EVERY === 0)
    return patience(this.#times, { ceilingMs, lateMs, rxMs, kind: whole ? 'whole' : 'short' })
  }

  /** Whether a second try of this step is worth it at all. */
  isWorthAsking(step: Step): boolean {
    return !this.#isMute(step)
  }

  answered(tookMs: number, rxMs: number): void {
    this.#times = withAnswer(this.#times, tookMs, rxMs)
  }

  /** Takes in what a poll brought: readings out, health, the next turn. `begunMs` is monotonic. */
  settle(result: AttemptResult, begunMs: number): void {
    this.#polls += 1
    this.#owed = result.owed
    this.#heard = new Uint8Array(0)
    this.job = { ...this.job, heldUntilMs: result.owed?.untilMs ?? 0 }
    this.#mute = muteIn(result)
    if (result.splits.length > 0) this.#learn(result.splits)
    const { busyRetryMs } = this.device
    if (result.verdict === 'busy' && busyRetryMs > 0 && this.#busyTries < BUSY_TRIES_MAX) {
      this.#busyTries += 1
      this.job = postponed(this.job, this.#nowMs() + busyRetryMs)
      return
    }
    this.#busyTries = 0
    this.#judge(result)
    this.#schedule(result, begunMs)
    this.#give(result)
    if (this.#asked) this.ask()
  }

  /** Due, but the line is away: one bad reading each time that the line goes, then nothing until it is back. */
  lineAway(): void {
    this.job = { ...this.job, class: this.job.urgency, dueMs: Infinity }
    if (this.#lineAwayTold) return
    const result = unreachable(this.device, this.#nowMs())
    this.#judge(result)
    this.#give(result)
  }

  report(): DeviceStats {
    return {
      line: this.#config.lineId,
      state: this.#health.state,
      reason: this.#health.reason,
      polls: this.#polls,
      failures: this.#failures,
      missedSlots: this.job.missed,
      lastAnswerAt: this.#lastAnswerAt,
    }
  }

  #isMute(step: Step): boolean {
    return step.kind === 'exchange' && step.channels.some((channel) => this.#mute.has(channel))
  }

  #plan(): Trigger {
    const { address, channels, profileKey, protocol } = this.device
    return triggerOf(protocol.plan(address, channels, this.#splits), profileKey)
  }

  #learn(channels: readonly string[]): void {
    for (const channel of channels) this.#splits.add(channel)
    this.#trigger = this.#plan()
    const at = this.#config.ports.clock.wall()
    this.#config.ports.onEvent({ kind: 'splits', at, device: this.device.id, channels: [...this.#splits] })
  }

  #judge(result: AttemptResult): void {
    const before = this.#health
    this.#health = nextDeviceHealth(before, healthInput(result, this.#nowMs()))
    if (result.verdict === 'silent' || result.verdict === 'line-lost') this.#failures += 1
    else this.#lastAnswerAt = this.#config.ports.clock.wall()
    if (this.#health.state !== before.state) this.#tell()
  }

  #schedule(result: AttemptResult, begunMs: number): void {
    const { clock, random } = this.#config.ports
    const now = { monoMs: clock.now(), wallMs: clock.wall() }
    if (result.verdict !== 'silent') this.job = afterAnswer(this.job, begunMs, now)
    else if (this.#health.failures < LOST_AFTER_FAILURES) this.job = afterSilence(this.job, begunMs, now)
    else this.job = afterLoss(this.job, now.monoMs, random)
  }

  #give(result: AttemptResult): void {
    this.#lineAwayTold = result.verdict === 'line-lost'
    const takenAt = result.takenAt ?? this.#config.ports.clock.wall()
    const readings: Reading[] = this.device.readings({ takenAt, raw: result.raw, failed: result.failed })
    this.#config.ports.onReadings(readings)
  }

  #tell(): void {
    const { state, reason } = this.#health
    const at = this.#config.ports.clock.wall()
    const { lineId: line, ports } = this.#config
    ports.onEvent({ kind: 'device', at, device: this.device.id, line, state, reason })
  }

  #nowMs(): number {
    return this.#config.ports.clock.now()
  }
}

/** What a poll brings that could not reach the line. `sentMs` is when it was to begin, monotonic. */
export function unreachable(device: PolledDevice, sentMs: number): AttemptResult {
  const reason: Reason = 'line-lost'
  const failed = new Map(device.channels.map((channel) => [channel, reason]))
  return { verdict: 'line-lost', raw: [], failed, takenAt: null, sentMs, owed: null, splits: [] }
}

function muteIn({ verdict, failed }: AttemptResult): ReadonlySet<string> {
  if (verdict !== 'partly') return new Set()
  return new Set([...failed].flatMap(([channel, reason]) => (reason === 'timeout' ? [channel] : [])))
}

function healthInput(result: AttemptResult, atMs: number): DeviceInput {
  const [reason = 'timeout'] = result.failed.values()
  switch (result.verdict) {
    case 'whole':
      return { kind: 'answered', atMs }
    case 'partly':
    case 'busy':
      return { kind: 'partly', atMs, reason }
    case 'silent':
    case 'line-lost':
      return { kind: 'silent', atMs, reason }
  }
}
