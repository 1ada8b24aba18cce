import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../hardware/clock.ts'
import type {
  DeviceConfig,
  HardwareConfig,
  HardwareEvent,
  Reading,
  SupervisorStats,
} from '../../hardware/index.ts'
import { exposePty, exposeTcp } from '../../hardware/sim/expose.ts'
import { createWire } from '../../hardware/sim/wire.ts'
import { COUNTER_PROFILE, CounterSlaves } from './counter-slaves.ts'

export interface SiteOptions {
  readonly devices: number
  readonly everyMs: number
  readonly baud?: number
  /** Shows the wire as a pseudo terminal of this name, not on TCP. */
  readonly pty?: string
}

/** Counting devices on a paced wire, and the configuration by which a hardware process finds them. */
export async function openSite({ devices, everyMs, baud = 19_200, pty }: SiteOptions) {
  const addresses = Array.from({ length: devices }, (_, n) => n + 1)
  const wire = createWire({ baud, format: '8E1', clock: systemClock, random: Math.random })
  const end = pty === undefined ? await exposeTcp(wire) : await exposePty(wire, pty)
  const slaves = new CounterSlaves(addresses)
  slaves.thinkMs = wire.timing.t35Ms + 5
  slaves.join(wire.join('slaves'))
  const config: HardwareConfig = {
    lines: [{ id: 'port1', port: end.port, baud, format: '8E1' }],
    devices: addresses.map(
      (address): DeviceConfig => ({
        id: `counter-${address}`,
        line: 'port1',
        address,
        profile: COUNTER_PROFILE,
        everyMs,
        calibrations: [],
      }),
    ),
  }
  const close = async (): Promise<void> => {
    await end.close()
    wire.close()
  }
  return { wire, end, slaves, config, close }
}

export interface HostLine {
  readonly readings?: readonly Reading[]
  readonly event?: HardwareEvent
  readonly stats?: SupervisorStats
  readonly pid?: number
}

/** Runs `hardware-host.ts` as a process of its own; `env` may lie to it about the time. */
export function spawnHost(config: HardwareConfig, env: NodeJS.ProcessEnv = {}) {
  const script = fileURLToPath(new URL('./hardware-host.ts', import.meta.url))
  const child: ChildProcess = spawn(process.execPath, [script, JSON.stringify(config)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const lines: HostLine[] = []
  const watchers = new Set<() => void>()
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(JSON.parse(line) as HostLine)
      for (const watcher of watchers) watcher()
    })
  }
  /** The first line that fits, now or later. */
  const until = async (fits: (line: HostLine) => boolean, withinMs = 60_000): Promise<HostLine> => {
    const endMs = performance.now() + withinMs
    for (;;) {
      const found = lines.find(fits)
      if (found !== undefined) return found
      const leftMs = endMs - performance.now()
      if (leftMs <= 0) throw new Error(`the hardware host did not say so within ${withinMs} ms`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs)
        watchers.add(() => {
          clearTimeout(timer)
          resolve()
        })
      })
      watchers.clear()
    }
  }
  const kill = (signal: NodeJS.Signals): boolean => child.kill(signal)
  const gone = new Promise<void>((resolve) =>
    child.once('exit', () => {
      resolve()
    }),
  )
  return { child, lines, until, kill, gone }
}

/** True while a process of this id runs; one that ended and was not yet collected does not. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !stat.slice(stat.lastIndexOf(')')).startsWith(') Z')
  } catch {
    return false
  }
}
