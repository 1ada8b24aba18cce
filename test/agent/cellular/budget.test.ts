import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type BudgetUse, factorsOf, periodOf, spend, stepOf, UNUSED } from '../../../agent/cellular/budget.ts'

const steps = [
  [0n, 0],
  [699n, 0],
  [700n, 70],
  [899n, 70],
  [900n, 90],
  [999n, 90],
  [1000n, 100],
  [10n ** 20n, 100],
] as const
test.for(steps)('%s of 1000 bytes is step %s', ([used, step]) => {
  expect(stepOf(used, 1000n)).toBe(step)
})

test('back-fill is slowed first, then live, control never, and nothing ever stops', () => {
  const all = ([0, 70, 90, 100] as const).map((step) => factorsOf([0, step]))
  expect(all.map(({ control }) => control)).toEqual([1, 1, 1, 1])
  expect(all.map(({ live }) => live)).toEqual([1, 1, 0.5, 0.125])
  expect(all.every(({ live, backfill }) => backfill > 0 && backfill <= live)).toBe(true)
  expect(factorsOf([100, 70])).toEqual(factorsOf([100]))
})

const periods = [
  ['2026-03-15', 15, '2026-03-15'],
  ['2026-03-14', 15, '2026-02-15'],
  ['2026-01-01', 2, '2025-12-02'],
  ['2028-02-29', 28, '2028-02-28'],
] as const
test.for(periods)('%s with billing day %i is in the period from %s', ([day, billingDay, start]) => {
  expect(periodOf(day, billingDay)).toBe(start)
})

test('the use of a period is the bytes of its days, whatever the clock did', () => {
  const day = fc.oneof(
    fc.constant(null),
    fc
      .integer({ min: 0, max: 120 })
      .map((n) => new Date(Date.UTC(2026, 0, 1 + n)).toISOString().slice(0, 10)),
  )
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.bigInt(0n, 10n ** 9n), day)),
      fc.integer({ min: 1, max: 28 }),
      (list, billingDay) => {
        let use: BudgetUse = UNUSED
        for (const [bytes, on] of list) {
          const next = spend(use, { bytes, day: on, billingDay })
          const isReset = use.period !== null && next.period !== use.period
          expect(next.used).toBe(isReset ? bytes : use.used + bytes)
          if (use.period !== null) expect((next.period ?? '') >= use.period).toBe(true)
          use = next
        }
      },
    ),
  )
})
