import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** What a load generator is to do against a broker on loopback. */
export interface Load {
  readonly port: number
  /** Of the broker, for the processor time of it and of its children. */
  readonly pid: number
  readonly qos: 0 | 1
  readonly publishers: number
  readonly subscribers: number
  /** Messages under way for each publisher: unacknowledged ones with QoS 1, not yet received ones with QoS 0. */
  readonly window: number
  readonly payloadBytes: number
  /** Sessions of the subscribers outlive their connections. */
  readonly persistent: boolean
  /** All publishers together, messages a second; absent = as fast as the window lets them. */
  readonly rate?: number
  readonly warmSeconds: number
  readonly seconds: number
}

/** What came of it. Figures a second are taken after warming up, at the subscriber that got the fewest. */
export interface LoadReport {
  readonly sent: number
  readonly acknowledged: number
  /** Deliveries a second to each subscriber. */
  readonly rate: number
  readonly acksPerSecond: number
  readonly cpuSeconds: number
  /** Deliveries to each subscriber for each second of the broker's processor time. */
  readonly perCpuSecond: number
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number }
  /** Longest time in which a subscriber got nothing. */
  readonly longestGapMs: number
  /** Sequence numbers that a subscriber never got, got twice, or got after a later one; over the whole run. */
  readonly lost: number
  readonly doubled: number
  readonly disordered: number
}

/** Nothing here takes longer; a load whose parent has died ends then. */
const SECONDS_MAX = 600
const CHILD = join(import.meta.dirname, 'load-child.ts')

/** A load that goes on. */
export interface RunningLoad {
  /** Ends it before its time is over, once it has warmed up; resolves with what was measured until then. */
  stop(): Promise<LoadReport>
}

/** Runs the load in a process of its own, so that broker and generator each have a core. */
export async function runLoad(load: Load): Promise<LoadReport> {
  const child = forked(load)
  return reportOf(child, once(child, 'exit'))
}

/** Begins a load and returns when it has warmed up. */
export async function startLoad(load: Omit<Load, 'seconds'>): Promise<RunningLoad> {
  const child = forked({ ...load, seconds: SECONDS_MAX })
  const ended = once(child, 'exit')
  const begun = await Promise.race([once(child, 'message'), ended.then(() => undefined)])
  if (begun === undefined) throw new Error('the load generator ended before it was warm')
  return {
    stop: () => {
      if (child.connected) child.send('stop')
      return reportOf(child, ended)
    },
  }
}

const forked = (load: Load): ChildProcess =>
  fork(CHILD, [JSON.stringify(load)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })

async function reportOf(child: ChildProcess, ended: Promise<unknown>): Promise<LoadReport> {
  const last = new Promise<LoadReport>((resolve) => {
    child.on('message', (told) => {
      if (told !== 'warm') resolve(told as LoadReport)
    })
  })
  try {
    const report = await Promise.race([last, ended.then(() => undefined)])
    if (report === undefined) throw new Error('the load generator ended without a report')
    return report
  } finally {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await ended
  }
}
