import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  BillingZone,
  daysOf,
  periodAfter,
  phaseOf,
  startOf,
} from '../../../../cloud-sync/cloud/billing/index.ts'

test.for([
  ['2026-07-01', 'UTC', '2026-07-01T00:00:00.000Z', 'as it says'],
  ['2026-07-01', 'Europe/Berlin', '2026-06-30T22:00:00.000Z', 'in summer'],
  ['2026-12-01', 'Europe/Berlin', '2026-11-30T23:00:00.000Z', 'in winter'],
  ['2026-03-29', 'Europe/Berlin', '2026-03-28T23:00:00.000Z', 'a day of 23 hours'],
  ['2026-03-30', 'Europe/Berlin', '2026-03-29T22:00:00.000Z', 'the day after it'],
  ['2026-07-01', 'Asia/Kolkata', '2026-06-30T18:30:00.000Z', 'half an hour aside'],
  ['2026-07-01', 'Pacific/Kiritimati', '2026-06-30T10:00:00.000Z', 'furthest east'],
  ['2026-07-01', 'Pacific/Pago_Pago', '2026-07-01T11:00:00.000Z', 'furthest west'],
  ['2018-11-04', 'America/Sao_Paulo', '2018-11-04T03:00:00.000Z', 'a day that began at 01:00'],
  ['2011-12-30', 'Pacific/Apia', '2011-12-30T10:00:00.000Z', 'a day that never was'],
] as const)('%s begins in %s at %s: %s', ([day, zone, instant]) => {
  expect(new Date(startOf(day, zone)).toISOString()).toBe(instant)
})

test('a zone that does not exist is refused', () => {
  expect(BillingZone.safeParse('Mars/Olympus').success).toBe(false)
  expect(BillingZone.safeParse('Europe/Berlin').success).toBe(true)
})

test('the days of every month follow each other without a gap', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1970, max: 2200 }), fc.integer({ min: 1, max: 12 }), (year, month) => {
      const period = `${year}-${String(month).padStart(2, '0')}`
      expect(daysOf(period)).toHaveLength(new Date(Date.UTC(year, month, 0)).getUTCDate())
      expect(daysOf(periodAfter(period))[0]).toBe(
        new Date(Date.UTC(year, month, 1)).toISOString().slice(0, 10),
      )
    }),
  )
})

test('a month is open until it ends in its own zone, then in grace, then due', () => {
  const at = (instant: string): string =>
    phaseOf('2026-07', { zone: 'Europe/Berlin', graceDays: 3, now: Date.parse(instant) })
  expect(at('2026-07-31T21:59:59Z')).toBe('open')
  expect(at('2026-07-31T22:00:00Z')).toBe('grace')
  expect(at('2026-08-03T21:59:59Z')).toBe('grace')
  expect(at('2026-08-03T22:00:00Z')).toBe('due')
})
