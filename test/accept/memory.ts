import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { GATEWAY_ENV, GATEWAY_NODE_FLAGS } from '../../agent/cli/node-flags.ts'
import { type Harness, type Outcome, scaled } from '../support/harness.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const BUILD = join(ROOT, 'dist')
const PSS_MIB_MAX = 200
const GROWTH_MAX = 0.05
const READINGS = 10_000_000
const DEMO_SECONDS = 60
const KIB = 1024

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
const pssMiB = (pid: string): number =>
  Number(/^Pss:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) / KIB

/** Pids of the gateway and of its hardware process, by their command lines and parents. */
function gatewayProcesses(demo: number): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const parentOf = (pid: string): string =>
    / (\d+)/.exec(read(`/proc/${pid}/stat`).replace(/^.*\) \S/, ''))?.[1] ?? ''
  const command = (pid: string): string => read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')
  const gateway = pids.find(
    (pid) => parentOf(pid) === String(demo) && command(pid).includes('main.js gateway '),
  )
  if (gateway === undefined) return []
  return [gateway, ...pids.filter((pid) => parentOf(pid) === gateway)]
}

/** The largest sum of both processes' PSS while the built demo runs. */
async function demoMiB(seconds: number): Promise<number> {
  const main = join(BUILD, 'agent/cli/main.js')
  const demo = spawn(
    process.execPath,
    [main, 'demo', '--seconds', String(seconds), '--no-faults', '--json'],
    {
      stdio: 'ignore',
    },
  )
  const gone = once(demo, 'exit')
  let most = 0
  while (demo.exitCode === null && demo.signalCode === null) {
    const sum = gatewayProcesses(demo.pid ?? 0).reduce((total, pid) => total + pssMiB(pid), 0)
    most = Math.max(most, sum)
    await sleep(250)
  }
  await gone
  return most
}

/** Memory of the gateway's own parts after each mark, MiB. */
async function fedMiB(marks: readonly number[], progress: (text: string) => void): Promise<number[]> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-memory-'))
  const child = spawn(
    process.execPath,
    [...GATEWAY_NODE_FLAGS, join(ROOT, 'test/support/feeding-child.ts'), BUILD, folder, ...marks.map(String)],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...GATEWAY_ENV } },
  )
  try {
    const found: number[] = []
    for await (const line of createInterface({ input: child.stdout })) {
      // Resident, not PSS: what is shared with other programs on this machine comes and goes with them.
      const { fed, rss } = JSON.parse(line) as { fed: number; rss: number }
      progress(`${fed} readings, ${Math.round(rss / KIB / KIB)} MiB resident`)
      found.push(rss / KIB / KIB)
    }
    return found
  } finally {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
}

export const harness: Harness = {
  what: 'Memory of the built gateway: PSS of both processes in the demo, and growth from reading 1 million to 10 million',
  async run({ scale, progress }): Promise<Outcome> {
    execFileSync('npm', ['run', '-s', 'build'], { cwd: ROOT, stdio: 'ignore' })
    const demo = await demoMiB(Math.max(10, scaled(DEMO_SECONDS, scale)))
    progress(`demo: ${Math.round(demo)} MiB`)
    const last = scaled(READINGS, scale)
    const [early = 0, late = 0] = await fedMiB([last / 10, last], progress)
    const growth = early === 0 ? 1 : late / early - 1
    const failures: string[] = []
    if (demo === 0 || demo > PSS_MIB_MAX) failures.push(`${demo} MiB in the demo`)
    // Below full scale the heap is still warming up; then the figure is only reported.
    if (scale >= 1 && growth > GROWTH_MAX) failures.push(`grew by ${(growth * 100).toFixed(1)} %`)
    if (late === 0) failures.push('nothing was fed')
    return { figures: { demoMiB: demo, readings: last, earlyMiB: early, lateMiB: late, growth }, failures }
  },
}
