import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  NEW_BUDGET,
  POLL_CLASSES,
  PROBE_SHARE,
  type Job,
  afterAnswer,
  afterLoss,
  afterSilence,
  askedNow,
  choose,
  deadlineMs,
  firstJob,
  mayRetry,
  spend,
} from '../../../hardware/poll/scheduler.ts'

const job = (device: string, over: Partial<Job> = {}): Job => ({
  ...firstJob({ device, everyMs: 1000, offsetMs: 0, urgency: 'normal' }, 0),
  ...over,
})
const anyJob = fc.record({
  device: fc.string(),
  everyMs: fc.integer({ min: 10, max: 100_000 }),
  offsetMs: fc.constant(0),
  urgency: fc.constantFrom('normal' as const, 'alarm' as const),
  class: fc.constantFrom(...POLL_CLASSES),
  dueMs: fc.integer({ min: 0, max: 10_000 }),
  heldUntilMs: fc.constant(0),
  missed: fc.constant(0),
  probes: fc.constant(0),
})

describe('who gets the line', () => {
  test('is always one that is due, of the most urgent class, with the earliest deadline', () => {
    fc.assert(
      fc.property(fc.array(anyJob), fc.integer({ min: 0, max: 10_000 }), (jobs, atMs) => {
        const choice = choose(jobs, NEW_BUDGET(0), atMs)
        const due = jobs.filter(({ dueMs }) => dueMs <= atMs)
        if (choice.kind === 'wait') {
          expect(due).toEqual([])
          expect(atMs + choice.ms).toBe(Math.min(Infinity, ...jobs.map(({ dueMs }) => dueMs)))
          return
        }
        const rank = (other: Job): number => POLL_CLASSES.indexOf(other.class)
        expect(choice.job.dueMs).toBeLessThanOrEqual(atMs)
        expect(due.every((other) => rank(other) >= rank(choice.job))).toBe(true)
        const peers = due.filter((other) => rank(other) === rank(choice.job))
        expect(Math.min(...peers.map(deadlineMs))).toBe(deadlineMs(choice.job))
      }),
    )
  })

  test('is whom an operator asks for, before an alarm, before the rest', () => {
    const jobs = [job('normal'), job('alarm', { class: 'alarm' }), askedNow(job('asked', { dueMs: 900 }), 10)]
    expect(choose(jobs, NEW_BUDGET(0), 10)).toMatchObject({ job: { device: 'asked' } })
    expect(choose(jobs.slice(0, 2), NEW_BUDGET(0), 10)).toMatchObject({ job: { device: 'alarm' } })
  })
})

describe('a device that does not answer', () => {
  const now = { monoMs: 100, wallMs: 100 }

  test('keeps its slots at first, behind the others', () => {
    expect(afterSilence(job('a'), 100, now)).toMatchObject({ class: 'probe', dueMs: 1000, probes: 0 })
  })

  test.for([
    { probes: 0, base: 1_000 },
    { probes: 1, base: 2_000 },
    { probes: 5, base: 32_000 },
    { probes: 9, base: 300_000 },
    { probes: 100, base: 300_000 },
  ])('is probed after $probes probes in $base ms, give or take a fifth', ({ probes, base }) => {
    const at = (chance: number): number => afterLoss(job('a', { probes }), 0, () => chance).dueMs
    expect([at(0), at(0.5), at(1)].map(Math.round)).toEqual([base * 0.8, base, base * 1.2])
  })

  test('is in its class and slots again after one answer', () => {
    const lost = afterLoss(job('a', { urgency: 'alarm' }), 0, () => 0.5)
    expect(afterAnswer(lost, 100, now)).toMatchObject({ class: 'alarm', probes: 0, dueMs: 1000 })
  })

  test('takes a twentieth of the line at most, however many there are and however long each probe lasts', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 10, max: 3_000 }), (lost, costMs) => {
        let jobs = Array.from({ length: lost }, (_, n) => afterLoss(job(`d${n}`), 0, () => 0.5))
        let [atMs, probedMs, budget] = [0, 0, NEW_BUDGET(0)]
        while (atMs < 3_600_000) {
          const choice = choose(jobs, budget, atMs)
          if (choice.kind === 'wait') {
            atMs += choice.ms
            continue
          }
          budget = spend(budget, atMs, atMs + costMs)
          atMs += costMs
          probedMs += costMs
          const probed = afterLoss(choice.job, atMs, () => 0)
          jobs = jobs.map((other) => (other.device === probed.device ? probed : other))
        }
        expect(probedMs - costMs).toBeLessThanOrEqual(atMs * PROBE_SHARE + 1)
        expect(probedMs).toBeGreaterThan(0)
      }),
      { numRuns: 20 },
    )
  })
})

describe('a second try', () => {
  test.for([
    { why: 'ends in its own slot and before the deadline of any other', end: 900, other: 700, may: true },
    { why: 'would end after its own slot', end: 1001, other: 5000, may: false },
    { why: 'would keep another past its deadline', end: 900, other: 600, may: false },
  ])('that $why: $may', ({ end, other, may }) => {
    expect(mayRetry(job('a'), [job('a'), job('b', { dueMs: other })], end)).toBe(may)
  })

  test('is never given to a device that failed last time', () => {
    expect(mayRetry(job('a', { class: 'probe' }), [], 1)).toBe(false)
  })

  test('does not care for the deadlines of devices that fail', () => {
    expect(mayRetry(job('a'), [job('dead', { class: 'probe', dueMs: 0 })], 900)).toBe(true)
  })
})

test('slots that pass while the line is taken are counted, and not made up for', () => {
  const late = afterAnswer(job('a', { dueMs: 1000 }), 4200, { monoMs: 4250, wallMs: 4250 })
  expect(late).toMatchObject({ missed: 3, dueMs: 5000 })
})
