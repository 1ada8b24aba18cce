import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { testWith } from '../../support/peers.ts'

const SIM = join(import.meta.dirname, '../../../hardware/sim/index.ts')
const GONE_MS_MAX = 60_000

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    // A zombie is gone, only not yet buried.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** A program that starts a simulator and tells its pid, at once or when it is ready. */
const parent = (when: 'early' | 'ready'): string => `
  import childProcess from 'node:child_process'
  import { syncBuiltinESMExports } from 'node:module'
  const { fork } = childProcess
  childProcess.fork = (...args) => {
    const child = fork(...args)
    if ('${when}' === 'early') process.stdout.write(child.pid + '\\n')
    return child
  }
  syncBuiltinESMExports()
  const { forkSimulator } = await import(${JSON.stringify(SIM)})
  const simulator = await forkSimulator({ scenario: process.argv[2], expose: { pty: process.argv[3] } })
  if ('${when}' === 'ready') process.stdout.write(simulator.pid + '\\n')
  setInterval(() => undefined, 1000)
`

testWith('socat').for(['early', 'ready'] as const)(
  'a simulator ends by itself when its parent is killed (%s)',
  { timeout: 120_000 },
  async (when) => {
    const folder = mkdtempSync(join(tmpdir(), 'headgate-orphan-'))
    const scenario = join(folder, 'scenario.yaml')
    writeFileSync(scenario, 'devices: [{ id: a, profile: example-tilt/1, address: 1 }]\n')
    const program = join(folder, 'parent.mjs')
    writeFileSync(program, parent(when))
    const child = spawn(process.execPath, [program, scenario, join(folder, 'port')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let pid = 0
    try {
      const [text] = (await once(child.stdout, 'data')) as [Buffer]
      pid = Number(text.toString())
      expect(alive(pid)).toBe(true)
      child.kill('SIGKILL')
      const until = Date.now() + GONE_MS_MAX
      while (alive(pid) && Date.now() < until) await sleep(50)
      expect(alive(pid)).toBe(false)
    } finally {
      child.kill('SIGKILL')
      if (pid > 0 && alive(pid)) process.kill(pid, 'SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    }
  },
)
