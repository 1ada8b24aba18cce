import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../clock.ts'
import { systemClock } from '../clock.ts'
import type { HardwareConfig } from '../config.ts'
import type { HardwareEvent, HardwareReport } from '../events.ts'
import type { Reading } from '../reading.ts'
import type { FromHardware, Splits, ToHardware } from './messages.ts'

/** Seconds without a heartbeat before the process counts as hung. */
const SILENT_TICKS_MAX = 5
/** While it starts it may be busy for longer: slow flash, cold caches. */
const STARTING_TICKS_MAX = 20
const TICK_MS = 1_000
const RESTART_MS_MIN = 100
const RESTART_MS_MAX = 10_000
/** A process that lived so long begins its back-off anew. */
const SOUND_AFTER_MS = 30_000
const STOP_MS_MAX = 5_000
const COMMIT_RETRY_MS = 1_000
const STDERR_CHARACTERS_MAX = 2_000
/** The process keeps no history: a small heap costs nothing and leaves memory to the store. */
const NODE_FLAGS = ['--max-old-space-size=96', '--max-semi-space-size=1']

export interface HardwareLog {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
}

export interface SupervisorConfig {
  readonly config: HardwareConfig
  /** Splits learnt earlier, from `splits` events. */
  readonly splits?: Splits
  readonly log: HardwareLog
  /**
   * Called for each batch as it comes, also while earlier ones wait; resolve when it is committed.
   * A rejection is tried again with the same batch a second later.
   */
  onReadings(readings: readonly Reading[]): Promise<void>
  onEvent(event: HardwareEvent): void
  /** A folder of ours alone, in which Node may keep compiled code: a start takes a third of the time. */
  readonly cacheFolder?: string
  readonly clock?: Clock
}

export interface SupervisorStats {
  readonly state: 'stopped' | 'starting' | 'running' | 'waiting'
  readonly pid: number | null
  readonly restarts: number
  /** The latest report of the process; counters begin anew with each process. */
  readonly report: HardwareReport | null
}

export interface Hardware {
  /** Resolves when the process polls or its first start failed; it is kept running until `stop` or the signal. */
  start(signal: AbortSignal): Promise<void>
  /** Lets the process end its poll and hand over what it has, then ends it. */
  stop(): Promise<void>
  stats(): SupervisorStats
  /** Polls this device before all others. */
  pollNow(device: string): void
}

/** Runs the hardware side in a process of its own and keeps it running. */
export function superviseHardware(config: SupervisorConfig): Hardware {
  return new Supervisor(config)
}

class Supervisor implements Hardware {
  readonly #config: SupervisorConfig
  readonly #clock: Clock
  #splits: Splits
  #child: ChildProcess | null = null
  #state: SupervisorStats['state'] = 'stopped'
  #restarts = 0
  #backoffMs = RESTART_MS_MIN
  #bornMs = 0
  #silentTicks = 0
  #report: HardwareReport | null = null
  #stderr = ''
  #hung = false
  #stopping = false
  #cancelRestart: () => void = () => undefined
  #ticker: NodeJS.Timeout | undefined
  #settled: () => void = () => undefined

  constructor(config: SupervisorConfig) {
    this.#config = config
    this.#clock = config.clock ?? systemClock
    this.#splits = config.splits ?? {}
  }

  async start(signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#state !== 'stopped') return
    this.#stopping = false
    const settled = new Promise<void>((resolve) => {
      this.#settled = resolve
    })
    signal.addEventListener('abort', () => void this.stop(), { once: true })
    this.#ticker = setInterval(() => {
      this.#tick()
    }, TICK_MS)
    this.#spawn()
    await settled
  }

  async stop(): Promise<void> {
    this.#stopping = true
    this.#settled()
    clearInterval(this.#ticker)
    this.#cancelRestart()
    const child = this.#child
    if (child === null) {
      this.#state = 'stopped'
      return
    }
    const gone = once(child, 'exit')
    this.#send({ kind: 'stop' })
    const cancel = this.#clock.after(STOP_MS_MAX, () => child.kill('SIGKILL'))
    await gone
    cancel()
  }

  stats(): SupervisorStats {
    return {
      state: this.#state,
      pid: this.#child?.pid ?? null,
      restarts: this.#restarts,
      report: this.#report,
    }
  }

  pollNow(device: string): void {
    this.#send({ kind: 'poll', device })
  }

  #spawn(): void {
    this.#state = 'starting'
    this.#silentTicks = 0
    this.#stderr = ''
    this.#hung = false
    this.#bornMs = this.#clock.now()
    // Source and build alike: the entry lies beside this file and ends as it does.
    const entry = fileURLToPath(new URL(`./main${extname(import.meta.url)}`, import.meta.url))
    const child = fork(entry, {
      serialization: 'advanced',
      execArgv: NODE_FLAGS,
      env: this.#environment(),
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#child = child
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARACTERS_MAX)
    })
    child.on('message', (message) => {
      this.#receive(child, message as FromHardware)
    })
    child.on('error', (error) => {
      this.#stderr += error.message
      // What the system could not start has no exit that would tell of its end.
      if (child.pid === undefined) this.#gone(child, 'not started')
    })
    child.on('exit', (code, signal) => {
      this.#gone(child, signal ?? `exit code ${String(code)}`)
    })
    this.#send({ kind: 'configure', config: this.#config.config, splits: this.#splits })
  }

  #environment(): NodeJS.ProcessEnv {
    const { cacheFolder } = this.#config
    return cacheFolder === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: cacheFolder }
  }

  #receive(child: ChildProcess, message: FromHardware): void {
    if (child === this.#child) this.#silentTicks = 0
    switch (message.kind) {
      case 'ready':
        this.#state = 'running'
        this.#tell({ state: 'started', pid: child.pid ?? 0, cause: null })
        this.#settled()
        return
      case 'readings':
        void this.#commit(child, message)
        return
      case 'event':
        if (message.event.kind === 'splits') {
          this.#splits = { ...this.#splits, [message.event.device]: message.event.channels }
        }
        this.#config.onEvent(message.event)
        return
      case 'report':
        this.#report = message.report
        return
    }
  }

  /** Also after its process died: these readings were taken, and nobody else has them. */
  async #commit(child: ChildProcess, message: Extract<FromHardware, { kind: 'readings' }>): Promise<void> {
    for (;;) {
      try {
        await this.#config.onReadings(message.readings)
        break
      } catch (error) {
        this.#config.log.warn(
          { err: error, readings: message.readings.length },
          'readings wait: not committed',
        )
        if (this.#state === 'stopped') return
        await new Promise<void>((resolve) => void this.#clock.after(COMMIT_RETRY_MS, resolve))
      }
    }
    if (child === this.#child) this.#send({ kind: 'ack', batch: message.batch })
  }

  #send(message: ToHardware): void {
    const child = this.#child
    if (child?.connected !== true) return
    // A pipe that breaks here is a process that ended: its exit is handled there.
    child.send(message, () => undefined)
  }

  #tick(): void {
    const child = this.#child
    if (child === null) return
    this.#silentTicks += 1
    const most = this.#state === 'running' ? SILENT_TICKS_MAX : STARTING_TICKS_MAX
    if (this.#silentTicks < most || this.#hung) return
    this.#hung = true
    this.#tell({ state: 'hung', pid: child.pid ?? 0, cause: `silent for ${this.#silentTicks} s` })
    child.kill('SIGKILL')
  }

  #gone(child: ChildProcess, how: string): void {
    if (child !== this.#child) return
    this.#child = null
    this.#report = null
    if (this.#stopping) {
      this.#state = 'stopped'
      return
    }
    const cause = this.#stderr.trim() === '' ? how : `${how}: ${this.#stderr.trim()}`
    this.#config.log.warn({ pid: child.pid, cause }, 'hardware process lost')
    this.#tell({ state: 'lost', pid: child.pid ?? 0, cause })
    if (this.#clock.now() - this.#bornMs > SOUND_AFTER_MS) this.#backoffMs = RESTART_MS_MIN
    this.#state = 'waiting'
    this.#restarts += 1
    this.#cancelRestart = this.#clock.after(this.#backoffMs, () => {
      this.#spawn()
    })
    this.#backoffMs = Math.min(RESTART_MS_MAX, this.#backoffMs * 2)
    this.#settled()
  }

  #tell(process: Pick<Extract<HardwareEvent, { kind: 'process' }>, 'state' | 'pid' | 'cause'>): void {
    this.#config.onEvent({ kind: 'process', at: this.#clock.wall(), ...process })
  }
}
