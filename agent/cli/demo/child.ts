import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { AgentError } from '../../errors.ts'

export interface ChildOptions {
  /** For messages. */
  readonly name: string
  /** Program file, `.ts` in a checkout and `.js` in a build, and its arguments. */
  readonly args: readonly string[]
  /** Its stderr is appended here. */
  readonly logFile: string
  readonly env?: Readonly<Record<string, string>>
  /** How long it may take to print its ready line. */
  readonly readyMs: number
}

/** A process of the demo that says on its first line of output that it is ready, and may be killed and started again. */
export interface Child {
  /** Resolves with the parsed ready line. */
  start(): Promise<Record<string, unknown>>
  /** SIGKILL, as a power cut would. Resolves when it is gone. */
  kill(): Promise<void>
  /** SIGTERM, then SIGKILL after the limit. */
  stop(limitMs: number): Promise<void>
  pid(): number | undefined
  running(): boolean
}

/** Kept of what a child says, characters. */
const SAID_MAX = 2_000

async function readyLine(child: ChildProcess, options: ChildOptions): Promise<Record<string, unknown>> {
  if (child.stdout === null) throw new AgentError('INTERNAL', `${options.name} has no output`)
  const lines = createInterface({ input: child.stdout })
  const signal = AbortSignal.timeout(options.readyMs)
  // The log goes with the folder of the demo: what it ends with has to be told now.
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-SAID_MAX)
  })
  const gone = once(child, 'close', { signal }).then(([code]) => {
    throw new AgentError(
      'INTERNAL',
      `${options.name} ended with ${String(code)} before it was ready: ${said.trimEnd().split('\n').at(-1) ?? ''}`,
    )
  })
  try {
    const [line] = (await Promise.race([once(lines, 'line', { signal }), gone])) as [string]
    return JSON.parse(line) as Record<string, unknown>
  } catch (cause) {
    if (signal.aborted) {
      throw new AgentError(
        'INTERNAL',
        `${options.name} was not ready in ${options.readyMs} ms; see ${options.logFile}`,
        {
          cause,
        },
      )
    }
    throw cause
  } finally {
    gone.catch(() => undefined)
  }
}

/** Describes a child; nothing runs before `start`. */
export function createChild(options: ChildOptions): Child {
  let child: ChildProcess | undefined
  const alive = (): ChildProcess | undefined =>
    child !== undefined && child.exitCode === null && child.signalCode === null ? child : undefined
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const running = alive()
    if (running === undefined) return
    const gone = once(running, 'exit')
    running.kill(signal)
    await gone
  }
  return {
    async start() {
      const log = createWriteStream(options.logFile, { flags: 'a', mode: 0o600 })
      child = spawn(process.execPath, [...options.args], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...options.env },
      })
      child.stderr?.pipe(log)
      return readyLine(child, options)
    },
    kill: () => end('SIGKILL'),
    async stop(limitMs) {
      const timer = setTimeout(() => void end('SIGKILL'), limitMs)
      await end('SIGTERM')
      clearTimeout(timer)
    },
    pid: () => alive()?.pid,
    running: () => alive() !== undefined,
  }
}
