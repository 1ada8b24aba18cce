import { fork } from 'node:child_process'
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

const CHILD = join(import.meta.dirname, 'load-child.ts')

/** Runs the load in a process of its own, so that broker and generator each have a core. */
export async function runLoad(load: Load): Promise<LoadReport> {
  const child = fork(CHILD, [JSON.stringify(load)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ended = once(child, 'exit')
  try {
    const answer = await Promise.race([once(child, 'message'), ended.then(() => undefined)])
    if (answer === undefined) throw new Error('the load generator ended without a report')
    return answer[0] as LoadReport
  } finally {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await ended
  }
}
