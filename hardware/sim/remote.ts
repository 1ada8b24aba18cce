import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { extname, join } from 'node:path'
import type { LinePort } from '../config.ts'
import { HardwareError } from '../errors.ts'
import type { Simulator, SimulatorFault, SimulatorStats } from './simulator.ts'

/** What the simulator's process is asked; each is answered with its number. */
export type Order =
  | { readonly do: 'inject'; readonly fault: SimulatorFault; readonly forMs: number | undefined }
  | { readonly do: 'heal' | 'unplug' | 'replug' | 'stats' | 'stop' }

export interface Numbered {
  readonly no: number
  readonly order: Order
}

/** What the process says: once that it runs, then an answer to each order. */
export type Said =
  | { readonly ready: true; readonly port: LinePort }
  | { readonly no: number; readonly stats: SimulatorStats | null }
  | { readonly no: number; readonly failure: string }

export interface ForkOptions {
  /** File of the scenario. */
  readonly scenario: string
  readonly expose: { readonly pty: string } | { readonly tcp: number }
  readonly truthLog?: string
}

const READY_MS_MAX = 15_000
const STOP_MS_MAX = 5_000

/** A simulator in a process of its own, which survives whatever happens to its user but not its user's end. */
export interface ForkedSimulator extends Simulator {
  readonly pid: number
}

/** Starts one. Throws HardwareError SCENARIO_INVALID or LINE_UNAVAILABLE with what the process said. */
export async function forkSimulator(options: ForkOptions): Promise<ForkedSimulator> {
  const place =
    'pty' in options.expose ? ['--pty', options.expose.pty] : ['--tcp', String(options.expose.tcp)]
  const log = options.truthLog === undefined ? [] : ['--truth', options.truthLog]
  const main = join(import.meta.dirname, `main${extname(import.meta.filename)}`)
  const child = fork(main, ['--scenario', options.scenario, ...place, ...log], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'advanced',
  })
  const complaint: string[] = []
  child.stderr?.on('data', (text: Buffer) => complaint.push(text.toString()))
  const port = await firstWord(child, complaint)
  return new RemoteSimulator(child, port)
}

async function firstWord(child: ChildProcess, complaint: readonly string[]): Promise<LinePort> {
  const signal = AbortSignal.timeout(READY_MS_MAX)
  const gone = once(child, 'close', { signal }).then(() => undefined)
  gone.catch(() => undefined)
  try {
    const said = await Promise.race([once(child, 'message', { signal }), gone])
    const first = said?.[0] as Said | undefined
    if (first !== undefined && 'ready' in first) return first.port
  } catch (cause) {
    child.kill('SIGKILL')
    throw new HardwareError('LINE_UNAVAILABLE', 'the simulator did not start in time', { cause })
  }
  const words = complaint.join('').trim()
  const code = words.startsWith('SCENARIO_INVALID') ? 'SCENARIO_INVALID' : 'LINE_UNAVAILABLE'
  throw new HardwareError(code, `the simulator did not start: ${words}`)
}

class RemoteSimulator implements ForkedSimulator {
  readonly port: LinePort
  readonly pid: number
  readonly #child: ChildProcess
  readonly #waiting = new Map<
    number,
    { done: (stats: SimulatorStats | null) => void; fail: (why: Error) => void }
  >()
  #no = 0

  constructor(child: ChildProcess, port: LinePort) {
    this.port = port
    this.pid = child.pid ?? 0
    this.#child = child
    child.on('message', (said: Said) => {
      if (!('no' in said)) return
      const asked = this.#waiting.get(said.no)
      this.#waiting.delete(said.no)
      if ('failure' in said) asked?.fail(new HardwareError('LINE_UNAVAILABLE', said.failure))
      else asked?.done(said.stats)
    })
    child.on('exit', () => {
      for (const { fail } of this.#waiting.values()) {
        fail(new HardwareError('LINE_UNAVAILABLE', 'the simulator ended'))
      }
      this.#waiting.clear()
    })
  }

  async inject(fault: SimulatorFault, forMs?: number): Promise<void> {
    await this.#ask({ do: 'inject', fault, forMs })
  }

  async heal(): Promise<void> {
    await this.#ask({ do: 'heal' })
  }

  async unplug(): Promise<void> {
    await this.#ask({ do: 'unplug' })
  }

  async replug(): Promise<void> {
    await this.#ask({ do: 'replug' })
  }

  async stats(): Promise<SimulatorStats> {
    const stats = await this.#ask({ do: 'stats' })
    if (stats === null) throw new HardwareError('LINE_UNAVAILABLE', 'the simulator gave no figures')
    return stats
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = once(this.#child, 'exit')
    const late = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS_MAX)
    // It may end before it can answer; that it is gone is all that is asked.
    this.#ask({ do: 'stop' }).catch(() => null)
    await gone
    clearTimeout(late)
  }

  #ask(order: Order): Promise<SimulatorStats | null> {
    this.#no += 1
    const no = this.#no
    return new Promise((done, fail) => {
      this.#waiting.set(no, { done, fail })
      this.#child.send({ no, order } satisfies Numbered, (error) => {
        if (error === null) return
        this.#waiting.delete(no)
        fail(error)
      })
    })
  }
}
