import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, test } from 'vitest'
import { Calendar } from '../../../agent/schedule/calendar.ts'
import { Scheduler } from '../../../agent/schedule/scheduler.ts'
import { movableClock } from '../../support/faketime.ts'
import { testWith } from '../../support/peers.ts'
import { HandTicker } from './hand-ticker.ts'

const DAY_MS = 86_400_000

function bench(startMs: number) {
  const ticker = new HandTicker()
  let jumped = 0
  const wall = (): number => startMs + jumped + ticker.now()
  const errors: string[] = []
  const jumps: number[] = []
  const onError = (job: string, error: unknown): void => {
    errors.push(`${job}: ${String(error)}`)
  }
  const scheduler = new Scheduler({ ticker, onError })
  const onJump = (stepMs: number): void => {
    jumps.push(stepMs)
  }
  const calendar = new Calendar({ scheduler, wall, ticker, onError, onJump })
  const ran: string[] = []
  const note = (): void => {
    ran.push(new Date(wall()).toISOString().slice(0, 16))
  }
  const jump = (ms: number): void => {
    jumped += ms
  }
  return { ticker, calendar, errors, jumps, ran, note, jump }
}

describe('a calendar job', () => {
  test('runs once at each minute that its expression matches, in UTC', async () => {
    const { ticker, calendar, ran, note } = bench(Date.UTC(2026, 2, 28, 12))
    calendar.at('backup', '30 2 * * *', note)
    await ticker.pass(3 * DAY_MS)
    // Vienna has no 02:30 on 2026-03-29; UTC has.
    expect(ran).toEqual(['2026-03-29T02:30', '2026-03-30T02:30', '2026-03-31T02:30'])
  })

  test('runs every minute of the hour that Vienna has twice, once each', async () => {
    const { ticker, calendar, ran, note } = bench(Date.UTC(2026, 9, 25))
    calendar.at('minute', '* * * * *', note)
    await ticker.pass(3 * 3_600_000)
    expect(ran).toHaveLength(180)
    expect(new Set(ran).size).toBe(180)
  })

  test('that ended runs no more', async () => {
    const { ticker, calendar, ran, note } = bench(0)
    const end = calendar.at('minute', '* * * * *', note)
    await ticker.pass(60_000)
    end()
    await ticker.pass(600_000)
    expect(ran).toHaveLength(1)
  })

  test('that fails tells the listener; one that still runs is not started again', async () => {
    const { ticker, calendar, errors } = bench(0)
    let started = 0
    calendar.at('bad', '* * * * *', () => {
      throw new Error('disk')
    })
    calendar.at('long', '* * * * *', async () => {
      started += 1
      await new Promise<void>((resolve) => ticker.after(150_000, resolve))
    })
    await ticker.pass(240_000)
    expect(started).toBe(2)
    expect(errors).toContain('bad: Error: disk')
  })

  test.for(['', '* * * *', '* * * * * *', '61 * * * *', 'tomorrow'])(
    'with the expression "%s" is refused',
    (text) => {
      expect(() => bench(0).calendar.at('x', text, () => undefined)).toThrow(RangeError)
    },
  )
})

describe('a jump of the wall clock', () => {
  const cases: [what: string, start: number, stepMs: number][] = [
    ['from 1970 to 2026', 0, Date.UTC(2026, 0, 1)],
    ['a day forward', Date.UTC(2026, 0, 1), DAY_MS],
    ['a day back', Date.UTC(2026, 0, 1), -DAY_MS],
  ]
  test.for(cases)('%s runs nothing of the gap and goes on at the new time', async ([, start, stepMs]) => {
    const { ticker, calendar, ran, note, jump, jumps } = bench(start)
    calendar.at('minute', '* * * * *', note)
    await ticker.pass(90_000)
    jump(stepMs)
    await ticker.pass(180_000)
    expect(jumps).toEqual([stepMs])
    expect(ran).toHaveLength(4)
    expect(Date.parse(`${ran[1] ?? ''}Z`) - Date.parse(`${ran[0] ?? ''}Z`)).toBeGreaterThan(stepMs)
  })
})

/** Prints each turn, and every 20 ms how long the event loop had stood still since the last time. */
const PROGRAM = `
import { Calendar } from '${resolve(import.meta.dirname, '../../../agent/schedule/calendar.ts')}'
import { Scheduler } from '${resolve(import.meta.dirname, '../../../agent/schedule/scheduler.ts')}'
const onError = (job, error) => console.log('error', job, error)
const scheduler = new Scheduler({ onError })
const calendar = new Calendar({ scheduler, wall: () => Date.now(), onError, onJump: (ms) => console.log('jump', ms) })
for (const expression of ['* * * * *', '0 3 * * *', '0 0 29 2 *']) calendar.at(expression, expression, () => console.log('ran'))
let last = performance.now(), worst = 0
setInterval(() => {
  const now = performance.now()
  if (now - last > worst) console.log('stall', Math.round((worst = now - last)))
  last = now
}, 20)
setInterval(() => calendar.look(new AbortController().signal), 100)
console.log('up')
`

testWith('faketime')(
  'a real process whose clock jumps from 1970 to 2026 stands still for less than a second',
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'headgate-jump-'))
    const clock = movableClock(dir, '1970-01-01 00:00:30')
    const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], {
      env: { ...process.env, ...clock.env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      const lines: string[] = []
      createInterface(child.stdout).on('line', (line) => lines.push(line))
      await expect.poll(() => lines, { timeout: 60_000 }).toContain('up')
      clock.set('2026-03-29 01:59:58')
      // Past the jump, the next minute is run as ever.
      await expect.poll(() => lines, { timeout: 60_000 }).toContain('ran')
      const stalls = lines.filter((line) => line.startsWith('stall ')).map((line) => Number(line.slice(6)))
      expect(lines.filter((line) => line.startsWith('jump '))).toHaveLength(1)
      expect(Math.max(...stalls)).toBeLessThan(1_000)
    } finally {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
      rmSync(dir, { recursive: true })
    }
  },
)
