import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'

const MAIN = join(import.meta.dirname, '../../agent/cli/main.ts')

export interface CliRun {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** Ctrl-C as soon as standard error shows this. */
  readonly interruptAt?: string
}

function spawned(args: readonly string[], { cwd, env = {} }: CliOptions): ChildProcess {
  return spawn(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HEADGATE_KEY: '', HEADGATE_DATA: '/nonexistent', ...env },
    ...(cwd === undefined ? {} : { cwd }),
  })
}

function gathered(child: ChildProcess): { stdout: string; stderr: string } {
  const texts = { stdout: '', stderr: '' }
  child.stdout?.on('data', (chunk: Buffer) => (texts.stdout += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (texts.stderr += chunk.toString()))
  return texts
}

/** Ends with the test, whatever the test did. */
function endsWithTest(child: ChildProcess): Promise<unknown> {
  const gone = once(child, 'close')
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await gone
  })
  return gone
}

/** Runs `headgate …` as a process and waits for its end. */
export async function headgate(args: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  const child = spawned(args, options)
  const texts = gathered(child)
  const { interruptAt } = options
  if (interruptAt !== undefined) {
    const look = (): void => {
      if (!texts.stderr.includes(interruptAt)) return
      child.stderr?.off('data', look)
      child.kill('SIGINT')
    }
    child.stderr?.on('data', look)
  }
  await endsWithTest(child)
  return { code: child.exitCode, ...texts }
}

/** The same with --json; the answer is parsed, and must be one line. */
export async function headgateJson(args: readonly string[], options: CliOptions = {}) {
  const run = await headgate([...args, '--json'], options)
  const lines = run.stdout.trimEnd().split('\n')
  if (lines.length !== 1)
    throw new Error(`${lines.length} lines on standard output: ${run.stdout}${run.stderr}`)
  return { ...run, json: JSON.parse(lines[0] ?? '') as Record<string, unknown> }
}

export interface RunningCli {
  readonly child: ChildProcess
  /** Its first line. */
  readonly ready: Record<string, unknown>
  /** Sends the signal and waits for the end. */
  end(signal?: NodeJS.Signals): Promise<CliRun>
}

/** Starts a command that runs until it is told to stop, and waits for its first line. */
export async function startHeadgate(args: readonly string[], options: CliOptions = {}): Promise<RunningCli> {
  const child = spawned(args, options)
  const texts = gathered(child)
  const gone = endsWithTest(child)
  if (child.stdout === null) throw new Error('it has a standard output')
  const lines = createInterface({ input: child.stdout })
  const first = await Promise.race([once(lines, 'line'), gone.then(() => undefined)])
  if (first === undefined) throw new Error(`it ended before it was ready: ${texts.stderr}`)
  return {
    child,
    ready: JSON.parse(String(first[0])) as Record<string, unknown>,
    async end(signal = 'SIGTERM') {
      child.kill(signal)
      await gone
      return { code: child.exitCode, ...texts }
    },
  }
}

/** A folder that goes with the test. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-cli-'))
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}
