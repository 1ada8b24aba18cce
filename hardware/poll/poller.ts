import type { DeviceStats, LineReport } from '../events.ts'
import type { Line } from '../line/line.ts'
import { type LineSpeed, wireMs } from './admission.ts'
import { type AttemptPorts, type AttemptResult, attempt } from './attempt.ts'
import type { PolledDevice } from './device.ts'
import { type LineHealth, type LineHealthState, type LineInput, NEW_LINE, nextLineHealth } from './health.ts'
import type { PollerPorts } from './ports.ts'
import { NEW_BUDGET, type Job, type ProbeBudget, choose, mayRetry, spend } from './scheduler.ts'
import { Station, unreachable } from './station.ts'

/** Devices that share a trigger may be due this share of their interval apart. */
const TOGETHER_SHARE = 0.1
/** Node's timers cannot wait longer than 24 days, and nobody minds a look at the clock. */
const SLEEP_MS_MAX = 3_600_000
/** After an exchange that found the line gone while it says to be open. */
const LOST_PAUSE_MS = 250

export interface PollerConfig {
  readonly line: Line
  readonly speed: LineSpeed
  /** Share of the line's time that the devices need; for the report. */
  readonly load: number
  readonly devices: readonly PolledDevice[]
  /** Splits learnt in an earlier life, by device. */
  readonly splits: ReadonlyMap<string, readonly string[]>
}

/** One line's loop: who is next, ask, turn the answer into readings. */
export class Poller {
  readonly #config: PollerConfig
  readonly #ports: PollerPorts
  readonly #stations = new Map<string, Station>()
  #health: LineHealth = NEW_LINE
  #published: LineHealthState | null = null
  #budget: ProbeBudget
  #startedMs: number
  #probedMs = 0
  #wake: () => void = () => undefined
  #aborted = false

  constructor(config: PollerConfig, ports: PollerPorts) {
    this.#config = config
    this.#ports = ports
    this.#startedMs = ports.clock.now()
    this.#budget = NEW_BUDGET(this.#startedMs)
    for (const device of config.devices) {
      const station = new Station(device, {
        lineId: config.line.id,
        ports,
        splits: config.splits.get(device.id) ?? [],
      })
      this.#stations.set(device.id, station)
    }
  }

  /** Polls until the signal; opens the line and closes it at the end. Rejects for faults of the program only. */
  async run(signal: AbortSignal): Promise<void> {
    const { line } = this.#config
    const onAbort = (): void => {
      this.#aborted = true
      this.#wake()
    }
    signal.addEventListener('abort', onAbort, { once: true })
    const unlisten = line.onState((state, cause) => {
      // A line that is closed in order is not a line in trouble.
      if (this.#aborted) return
      this.#onLine({ kind: 'state', state }, cause)
      if (state === 'open') this.#beginAnew()
      this.#wake()
    })
    const unsniff = line.sniff((bytes) => {
      for (const station of this.#stations.values()) if (station.hear(bytes)) this.#wake()
    })
    try {
      for (const station of this.#stations.values()) station.announce()
      await line.start(signal)
      if (this.#published === null) this.#onLine({ kind: 'state', state: line.state }, null)
      while (!this.#stopped(signal)) await this.#turn()
    } finally {
      signal.removeEventListener('abort', onAbort)
      unlisten()
      unsniff()
      await line.stop()
    }
  }

  /** Polls this device before all others. False where it is not on this line. */
  pollNow(device: string): boolean {
    const station = this.#stations.get(device)
    if (station === undefined) return false
    station.ask()
    this.#wake()
    return true
  }

  report(): LineReport {
    const elapsedMs = Math.max(1, this.#ports.clock.now() - this.#startedMs)
    const { line, load } = this.#config
    return { ...line.stats(), state: this.#health.state, load, probeShare: this.#probedMs / elapsedMs }
  }

  deviceReports(): [string, DeviceStats][] {
    return [...this.#stations].map(([id, station]) => [id, station.report()])
  }

  #stopped(signal: AbortSignal): boolean {
    return this.#aborted || signal.aborted
  }

  #beginAnew(): void {
    const nowMs = this.#ports.clock.now()
    this.#budget = NEW_BUDGET(nowMs)
    for (const station of this.#stations.values()) station.beginAnew(nowMs)
  }

  async #turn(): Promise<void> {
    const choice = choose(this.#jobs(), this.#budget, this.#ports.clock.now())
    if (choice.kind === 'wait') await this.#sleep(choice.ms)
    else if (this.#config.line.state === 'open') await this.#poll(choice.job)
    else this.#station(choice.job).lineAway()
  }

  async #poll(job: Job): Promise<void> {
    const { clock } = this.#ports
    const lead = this.#station(job)
    const isProbe = job.class === 'probe' && job.probes > 0
    const beganMs = clock.now()
    const members = this.#together(lead)
    for (const member of members) member.begin()
    if (await this.#trigger(lead)) {
      const triggeredMs = clock.now()
      for (const member of members) {
        if (this.#aborted) return
        await this.#pause(triggeredMs + member.trigger.waitMs - clock.now())
        const triggered = member.trigger.broadcasts.length > 0
        this.#settle(member, await this.#ask(member), triggered ? beganMs : null)
      }
    } else for (const member of members) this.#settle(member, unreachable(member.device, beganMs), beganMs)
    if (!isProbe) return
    this.#probedMs += clock.now() - beganMs
    this.#budget = spend(this.#budget, beganMs, clock.now())
  }

  /** The devices that one trigger serves, in the order in which they are ready. */
  #together(lead: Station): Station[] {
    const { key } = lead.trigger
    const { job } = lead
    if (key === null || job.class === 'probe' || job.class === 'operator') return [lead]
    const untilMs = this.#ports.clock.now() + job.everyMs * TOGETHER_SHARE
    const joins = ({ trigger, job: other }: Station): boolean =>
      trigger.key === key &&
      other.everyMs === job.everyMs &&
      other.dueMs <= untilMs &&
      other.heldUntilMs <= this.#ports.clock.now() &&
      (other.class === 'alarm' || other.class === 'normal')
    return [...this.#stations.values()].filter(joins).sort((a, b) => a.trigger.waitMs - b.trigger.waitMs)
  }

  async #trigger(lead: Station): Promise<boolean> {
    for (const tx of lead.trigger.broadcasts) {
      const { ok } = await this.#config.line.send(tx, lead.device.gapMs)
      if (!ok) return false
    }
    return true
  }

  async #ask(station: Station): Promise<AttemptResult> {
    const ports: AttemptPorts = {
      line: this.#config.line,
      clock: this.#ports.clock,
      silencesMax: station.silencesMax,
      sleep: (ms) => this.#pause(ms),
      patience: (step, which) => station.patience(wireMs(step.rxBytes, this.#config.speed), which),
      mayRetry: (step, endMs) =>
        !this.#aborted &&
        station.isWorthAsking(step) &&
        mayRetry(station.job, station.device.sleeps ? [] : this.#jobs(), endMs),
      observe: (step, reply) => {
        if (reply.ok) station.answered(reply.tookMs, wireMs(step.rxBytes, this.#config.speed))
        const damaged = !reply.ok && (reply.reason === 'crc' || reply.strayBytes > 0)
        if (reply.ok || reply.reason !== 'line-lost') this.#onLine({ kind: 'exchange', damaged }, null)
      },
    }
    return attempt(station.device, station.steps(), ports)
  }

  #settle(station: Station, result: AttemptResult, triggeredMs: number | null): void {
    if (this.#aborted) return
    station.settle(result, triggeredMs ?? result.sentMs)
    if (result.verdict !== 'line-lost') return
    const { job } = station
    station.job = { ...job, dueMs: Math.max(job.dueMs, this.#ports.clock.now() + LOST_PAUSE_MS) }
    // The line came back while this poll was ending: its new beginning holds.
    if (this.#config.line.state === 'open') station.beginAnew(this.#ports.clock.now() + LOST_PAUSE_MS)
  }

  #onLine(input: LineInput, cause: string | null): void {
    this.#health = nextLineHealth(this.#health, input)
    const { state } = this.#health
    if (state === this.#published) return
    this.#published = state
    this.#ports.onEvent({
      kind: 'line',
      at: this.#ports.clock.wall(),
      line: this.#config.line.id,
      state,
      cause,
    })
  }

  *#jobs(): Iterable<Job> {
    for (const { job } of this.#stations.values()) yield job
  }

  #station(job: Job): Station {
    const station = this.#stations.get(job.device)
    if (station === undefined) throw new Error(`no station for ${job.device}`)
    return station
  }

  /** Until `ms` are over or something changed. */
  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = Number.isFinite(ms)
        ? this.#ports.clock.after(Math.min(SLEEP_MS_MAX, Math.ceil(ms)), () => {
            this.#wake()
          })
        : null
      this.#wake = () => {
        cancel?.()
        this.#wake = () => undefined
        resolve()
      }
      if (this.#aborted) this.#wake()
    })
  }

  /** All of `ms`, unless stopped. */
  async #pause(ms: number): Promise<void> {
    const untilMs = this.#ports.clock.now() + ms
    for (let leftMs = ms; leftMs > 0 && !this.#aborted; leftMs = untilMs - this.#ports.clock.now()) {
      await this.#sleep(leftMs)
    }
  }
}
