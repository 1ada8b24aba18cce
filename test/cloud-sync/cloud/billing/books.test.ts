import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { close, emptyBooks, minorUnit, trialBalance } from '../../../../cloud-sync/cloud/billing/index.ts'
import {
  AUGUST,
  cards,
  closeAll,
  DAM,
  JULY,
  julyFacts,
  pricesOf,
  sensors,
  statementOf,
} from '../../../support/billing-world.ts'

const FIRST = '2026-07-01'

describe('double entry', () => {
  test('every posting sums to zero, and so do the books', () => {
    fc.assert(
      fc.property(julyFacts, julyFacts, cards, (some, more, card) => {
        const prices = pricesOf(card)
        const { postings, statements } = closeAll(
          [
            [JULY, some],
            [AUGUST, [...some, ...more]],
          ],
          prices,
        )
        for (const { entries } of postings) {
          expect(entries.reduce((sum, { amount }) => sum + amount, 0n)).toBe(0n)
        }
        const balance = trialBalance(postings)
        expect([...balance.values()].reduce((sum, amount) => sum + amount, 0n)).toBe(0n)
        const owed = statements.reduce(
          (sum, { total, minorDigits }) => sum + total * minorUnit(minorDigits),
          0n,
        )
        expect(balance.get(`receivable:${DAM}`) ?? 0n).toBe(owed)
        expect(new Set(postings.map(({ id }) => id)).size).toBe(postings.length)
      }),
    )
  })

  test('a statement whose lines are not its total is not booked', () => {
    const statement = statementOf({ facts: sensors(FIRST, 2) })
    expect(() => close(emptyBooks(DAM), { ...statement, total: statement.total + 1n })).toThrow(
      expect.objectContaining({ code: 'BILLING_UNBALANCED' }),
    )
  })
})
