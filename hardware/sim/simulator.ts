import { type Clock, systemClock } from '../clock.ts'
import type { LinePort } from '../config.ts'
import { ascii, rtu } from '../modbus/index.ts'
import { Content } from './content.ts'
import { SimulatedDevice } from './device.ts'
import { exposePty, exposeTcp, type MasterEnd } from './expose.ts'
import type { AnswerFault, LineFault } from './fault.ts'
import type { Scenario, ScenarioDevice } from './scenario.ts'
import { seededRandom, seedFor } from './seeded.ts'
import { openTruthLog, type Truth, type TruthLog } from './truth-log.ts'
import { createWire, type Wire, type WireStats } from './wire.ts'

export type SimulatorFault = AnswerFault | LineFault

export interface SimulatorOptions {
  readonly scenario: Scenario
  /** Where the master finds the line: a link to a pseudo terminal (needs socat), or a TCP port (0 = a free one). */
  readonly expose: { readonly pty: string } | { readonly tcp: number }
  /** File to which every answer that carried a counter is appended. */
  readonly truthLog?: string
  readonly clock?: Clock
}

/** A running line with its devices. */
export interface Simulator {
  /** For a line's configuration. */
  readonly port: LinePort
  /** Puts a fault on a device (all, where it names none) or the line, until `heal` or for `forMs`. */
  inject(fault: SimulatorFault, forMs?: number): Promise<void>
  /** Ends all faults. */
  heal(): Promise<void>
  unplug(): Promise<void>
  replug(): Promise<void>
  /** What the wire saw, and how often each device answered with its counter. */
  stats(): Promise<SimulatorStats>
  stop(): Promise<void>
}

export interface SimulatorStats {
  readonly wire: WireStats
  readonly answers: Readonly<Record<string, number>>
}

/**
 * Starts the line of a scenario in this process. Throws HardwareError LINE_UNAVAILABLE where the port cannot be shown.
 */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const { scenario, expose, clock = systemClock } = options
  const wire = createWire({
    ...scenario.line,
    clock,
    random: seededRandom(seedFor(scenario.seed, 'wire')),
  })
  const end =
    'pty' in expose ? await exposePty(wire, expose.pty) : await exposeTcp(wire, '127.0.0.1', expose.tcp)
  const log = options.truthLog === undefined ? null : openTruthLog(options.truthLog)
  return new RunningSimulator({ scenario, clock, wire, end, log })
}

interface Parts {
  readonly scenario: Scenario
  readonly clock: Clock
  readonly wire: Wire
  readonly end: MasterEnd
  readonly log: TruthLog | null
}

interface ActiveFault {
  readonly fault: SimulatorFault
  cancel: () => void
}

class RunningSimulator implements Simulator {
  readonly port: LinePort
  readonly #parts: Parts
  readonly #contents = new Map<string, Content>()
  readonly #devices: SimulatedDevice[]
  readonly #random: () => number
  readonly #planned: (() => void)[]
  readonly #active = new Set<ActiveFault>()
  /** Times that the adapter was pulled or put back: what was under way then is in doubt. */
  #plugs = 0
  #gone = false
  #tail: Promise<void> = Promise.resolve()

  constructor(parts: Parts) {
    this.#parts = parts
    this.port = parts.end.port
    this.#random = seededRandom(seedFor(parts.scenario.seed, 'faults'))
    this.#devices = parts.scenario.devices.map((device) => this.#device(device))
    this.#planned = parts.scenario.faults.map(({ fromMs, forMs, fault }) =>
      parts.clock.after(fromMs, () => {
        void this.inject(fault, forMs ?? undefined)
      }),
    )
  }

  async inject(fault: SimulatorFault, forMs?: number): Promise<void> {
    const active: ActiveFault = { fault, cancel: () => undefined }
    this.#active.add(active)
    if (forMs !== undefined) {
      active.cancel = this.#parts.clock.after(forMs, () => {
        this.#active.delete(active)
        void this.#applyLineFaults()
      })
    }
    await this.#applyLineFaults()
  }

  async heal(): Promise<void> {
    for (const { cancel } of this.#active) cancel()
    this.#active.clear()
    await this.#applyLineFaults()
  }

  unplug(): Promise<void> {
    return this.inject({ fault: 'unplug' })
  }

  async replug(): Promise<void> {
    for (const active of this.#active) {
      if (active.fault.fault !== 'unplug') continue
      active.cancel()
      this.#active.delete(active)
    }
    await this.#applyLineFaults()
  }

  stats(): Promise<SimulatorStats> {
    const answers = Object.fromEntries([...this.#contents].map(([id, content]) => [id, content.count]))
    return Promise.resolve({ wire: this.#parts.wire.stats(), answers })
  }

  async stop(): Promise<void> {
    for (const cancel of this.#planned) cancel()
    for (const { cancel } of this.#active) cancel()
    this.#active.clear()
    for (const device of this.#devices) device.leave()
    await this.#tail
    await this.#parts.end.close()
    this.#parts.wire.close()
    this.#parts.log?.close()
  }

  #device(device: ScenarioDevice): SimulatedDevice {
    const { scenario, wire, clock, log } = this.#parts
    const seed = seedFor(scenario.seed, device.id)
    const content = new Content({
      profile: device.profile,
      seed,
      motions: device.values,
      counter: device.counter ?? null,
    })
    this.#contents.set(device.id, content)
    return new SimulatedDevice({
      id: device.id,
      address: device.address,
      framing: device.profile.protocol === 'modbus-ascii' ? ascii : rtu,
      content,
      holes: device.holes,
      thinkMs: device.thinkMs,
      wire,
      clock,
      random: seededRandom(seedFor(seed, 'answers')),
      fault: () => this.#faultFor(device.id),
      trouble: () => wire.stats().garbledBytes + this.#plugs,
      onAnswer: (truth: Truth) => log?.append(truth),
    })
  }

  /** The first fault in force for the device that chance lets happen now. */
  #faultFor(device: string): AnswerFault | undefined {
    for (const { fault } of this.#active) {
      if (!('probability' in fault) || (fault.device !== undefined && fault.device !== device)) continue
      if (this.#random() < fault.probability) return fault
    }
    return undefined
  }

  /** Makes the line as the faults in force want it, one change after the other. */
  #applyLineFaults(): Promise<void> {
    const { wire, end } = this.#parts
    const active = [...this.#active].map(({ fault }) => fault)
    const noise = active.find((fault) => fault.fault === 'noise')
    wire.setEcho(active.some((fault) => fault.fault === 'echo'))
    wire.setNoise(noise ?? null)
    const gone = active.some((fault) => fault.fault === 'unplug')
    if (gone !== this.#gone) this.#plugs += 1
    this.#gone = gone
    this.#tail = this.#tail.then(() => (gone ? end.unplug() : end.replug()))
    return this.#tail
  }
}
