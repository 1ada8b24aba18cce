import { expect, test } from 'vitest'
import { CalendarJob } from '../../../../cloud-sync/cloud/invoicing/calendar.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const START = Date.parse('2026-07-20T12:00:00Z')

/** A job at seven past each hour, and clocks that go together until one is stepped. */
function clocks() {
  let wall = START
  let mono = 0
  const jumps: [number, boolean][] = []
  const job = new CalendarJob('7 * * * *', {
    wall: () => wall,
    mono: () => mono,
    onJump: (step, believed) => void jumps.push([step, believed]),
  })
  /** Looks every 15 s; the believed times at which a slot had come. */
  const pass = (ms: number): number[] => {
    const due: number[] = []
    for (let past = 0; past < ms; past += 15_000) {
      wall += 15_000
      mono += 15_000
      const at = job.look()
      if (at !== undefined) due.push(at)
    }
    return due
  }
  return { pass, jumps, step: (ms: number) => void (wall += ms) }
}

test('it is due once an hour', () => {
  const { pass } = clocks()
  expect(pass(3 * HOUR).map((at) => new Date(at).toISOString())).toEqual([
    '2026-07-20T12:07:00.000Z',
    '2026-07-20T13:07:00.000Z',
    '2026-07-20T14:07:00.000Z',
  ])
})

test('a small jump is told and followed, and slots in between are not made up for', () => {
  const { pass, jumps, step } = clocks()
  step(3 * HOUR)
  expect(pass(HOUR).map((at) => new Date(at).toISOString())).toEqual(['2026-07-20T15:07:00.000Z'])
  expect(jumps).toEqual([[3 * HOUR, true]])
  step(-3 * HOUR)
  expect(pass(HOUR).map((at) => new Date(at).toISOString())).toEqual(['2026-07-20T13:07:00.000Z'])
})

test('a jump ahead of a month closes nothing early: the time that is believed goes on', () => {
  const { pass, jumps, step } = clocks()
  step(45 * DAY)
  const [first] = pass(HOUR)
  expect(jumps).toEqual([[45 * DAY, false]])
  expect(new Date(first ?? 0).toISOString()).toBe('2026-07-20T12:07:00.000Z')
  // Nor in two steps.
  step(20 * HOUR)
  expect(new Date(pass(HOUR)[0] ?? 0).toISOString()).toBe('2026-07-20T13:07:00.000Z')
  // The clock is set right: it is believed again.
  step(-45 * DAY - 20 * HOUR)
  expect(new Date(pass(HOUR)[0] ?? 0).toISOString()).toBe('2026-07-20T14:07:00.000Z')
})
