import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const LAUNCHER = join(import.meta.dirname, '../../agent/cli/headgate')

/** A broker that runs as a process of its own. */
export interface BrokerProcess {
  readonly port: number
  readonly pid: number
  /** Where its metrics are; null for brokers that have none there. */
  readonly metricsUrl: string | null
  /** True until the process has ended, however. */
  isAlive(): boolean
  /** Ends it with this signal and waits for its end; the exit code, or null where a signal ended it. */
  end(signal?: NodeJS.Signals): Promise<number | null>
}

export interface HeadgateBroker {
  /** Folder of its durable store; absent = one of its own that goes with it. */
  readonly data?: string
  /** More options for `headgate broker`. */
  readonly args?: readonly string[]
  readonly port?: number
}

/** Starts `headgate broker --open` by its launcher, that is with the same settings as everybody does. */
export async function startHeadgateBroker({
  data,
  args = [],
  port = 0,
}: HeadgateBroker = {}): Promise<BrokerProcess> {
  const own = data === undefined ? mkdtempSync(join(tmpdir(), 'headgate-broker-')) : undefined
  const child = spawn(
    LAUNCHER,
    [
      ...['broker', '--listen', `tcp://127.0.0.1:${port}`, '--metrics', '127.0.0.1:0', '--open'],
      ...['--data', data ?? own ?? '', ...args],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const process = endable(child, own)
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-4_000)))
  const lines = createInterface({ input: child.stdout })
  const first = await Promise.race([once(lines, 'line'), process.ended])
  if (!Array.isArray(first)) throw new Error(`headgate broker ended before it was ready: ${said}`)
  const ready = JSON.parse(String(first[0])) as { broker: string[]; metrics: string | null }
  return { ...process, port: Number(new URL(ready.broker[0] ?? '').port), metricsUrl: ready.metrics }
}

/** What every child needs; `folder` goes when it has ended. */
export function endable(
  child: ChildProcess,
  folder?: string,
): Pick<BrokerProcess, 'pid' | 'isAlive' | 'end'> & { readonly ended: Promise<undefined> } {
  const isAlive = (): boolean => child.exitCode === null && child.signalCode === null
  const ended = once(child, 'exit').then(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
    return undefined
  })
  return {
    pid: child.pid ?? 0,
    isAlive,
    ended,
    end: async (signal = 'SIGTERM') => {
      if (isAlive()) child.kill(signal)
      await ended
      return child.exitCode
    },
  }
}
