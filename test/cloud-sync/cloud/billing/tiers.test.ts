import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  amountText,
  dayPrice,
  outlook,
  parsePriceBook,
  type SensorDayPlan,
} from '../../../../cloud-sync/cloud/billing/index.ts'
import { cardOf, DAM, plans, pricesOf, TIERS, tiers } from '../../../support/billing-world.ts'

function planOf(sensorDays: object): SensorDayPlan {
  const plan = pricesOf(cardOf({ sensorDays })).cardOn(DAM, '2026-07-01')?.sensorDays
  if (plan === undefined) throw new Error('the card has a plan')
  return plan
}
const volume = planOf({ mode: 'volume', tiers: TIERS })
const graduated = planOf({ mode: 'graduated', tiers: TIERS })

test.for([
  [volume, 0n, '0'],
  [volume, 9n, '9'],
  [volume, 10n, '8'],
  [volume, 40n, '32'],
  [volume, 50n, '30'],
  [graduated, 9n, '9'],
  [graduated, 10n, '9.8'],
  [graduated, 50n, '41.6'],
] as const)('the published example: %o with %i sensors costs %s', ([plan, sensors, price]) => {
  expect(amountText(dayPrice(plan, sensors))).toBe(price)
})

test.for([
  ['volume', 2n, '0'],
  ['volume', 3n, '1'],
  ['volume', 10n, '6.4'],
  ['graduated', 2n, '0'],
  ['graduated', 10n, '7.8'],
  ['graduated', 11n, '8.6'],
] as const)('%s with two included sensors: %i cost %s', ([mode, sensors, price]) => {
  expect(amountText(dayPrice(planOf({ mode, tiers: TIERS, included: 2 }), sensors))).toBe(price)
})

test('a flat part is paid once a day: of the tier reached by volume, of every tier reached when graduated', () => {
  const flat = [
    { from: 1, to: 1, rate: '1', flat: '10' },
    { from: 2, to: null, rate: '1', flat: '5' },
  ]
  expect(amountText(dayPrice(planOf({ mode: 'volume', tiers: flat }), 2n))).toBe('7')
  expect(amountText(dayPrice(planOf({ mode: 'graduated', tiers: flat }), 2n))).toBe('17')
})

/** Each unit by itself: what a graduated price is by definition. */
function onebyone(plan: SensorDayPlan, sensors: bigint): bigint {
  let sum = 0n
  for (let place = 1n; place <= sensors; place += 1n) {
    const tier = plan.tiers.findLast(({ from }) => from <= place)
    if (tier === undefined) throw new Error('every place has a tier')
    if (place > plan.included) sum += tier.rate
    if (place === tier.from) sum += tier.flat
  }
  return sum
}

test('I15 graduated: the price is the sum over each place, and never falls', () => {
  fc.assert(
    fc.property(plans, fc.bigInt(0n, 60n), (data, sensors) => {
      const plan = planOf({ ...data, mode: 'graduated' })
      expect(dayPrice(plan, sensors)).toBe(onebyone(plan, sensors))
      expect(dayPrice(plan, sensors + 1n)).toBeGreaterThanOrEqual(dayPrice(plan, sensors))
    }),
  )
})

test('I15 graduated: beyond 2^53 sensors the price never falls either', () => {
  fc.assert(
    fc.property(plans, fc.bigInt(0n, 2n ** 70n), fc.bigInt(0n, 2n ** 70n), (data, a, b) => {
      const plan = planOf({ ...data, mode: 'graduated' })
      const [few, many] = a < b ? [a, b] : [b, a]
      expect(dayPrice(plan, many)).toBeGreaterThanOrEqual(dayPrice(plan, few))
    }),
  )
})

describe('I15 the number of sensors to the next bulk discount', () => {
  test.for([
    [0n, 10n],
    [1n, 9n],
    [9n, 1n],
    [10n, 40n],
    [49n, 1n],
    [50n, null],
    [51n, null],
  ] as const)('with %i sensors it is %o', ([sensors, missing]) => {
    expect(outlook(volume, sensors).toNext).toBe(missing)
  })

  test('at from - 1 it is one, at from the next tier counts, in the last tier there is none', () => {
    fc.assert(
      fc.property(plans, (data) => {
        const plan = planOf(data)
        for (const [index, { from, rate }] of plan.tiers.entries()) {
          const following = plan.tiers[index + 1]
          expect(outlook(plan, from).rate).toBe(rate)
          expect(outlook(plan, from).toNext).toBe(following === undefined ? null : following.from - from)
          if (index > 0) expect(outlook(plan, from - 1n).toNext).toBe(1n)
        }
      }),
    )
  })
})

test('the published break-even: 38 to 49 sensors cost more than 50 do', () => {
  const at = outlook(volume, 40n)
  expect(at.cheaperFrom).toBe(38n)
  expect(amountText(at.savingAtNext ?? 0n)).toBe('2')
  expect(outlook(volume, 37n).savingAtNext).toBeLessThanOrEqual(0n)
  expect(outlook(volume, 38n).savingAtNext).toBeGreaterThan(0n)
  expect(amountText(outlook(volume, 49n).marginal)).toBe('-9.2')
})

test('the break-even number is the smallest of its tier that costs more than the next tier begins with', () => {
  fc.assert(
    fc.property(tiers, fc.bigInt(0n, 5n), (data, included) => {
      const plan = planOf({ mode: 'volume', tiers: data, included: included.toString() })
      for (const [index, { from }] of plan.tiers.entries()) {
        const next = plan.tiers[index + 1]
        const found = outlook(plan, from).cheaperFrom
        if (next === undefined) {
          expect(found).toBeNull()
          continue
        }
        const dearer = (sensors: bigint): boolean => dayPrice(plan, sensors) > dayPrice(plan, next.from)
        if (found === null) expect(dearer(next.from - 1n)).toBe(false)
        else expect([dearer(found), found === from || !dearer(found - 1n)]).toEqual([true, true])
      }
    }),
  )
})

test.for([
  [[{ from: 2, to: null, rate: '1' }], 'the first tier begins at 1, not at 2'],
  [
    [
      { from: 1, to: 5, rate: '1' },
      { from: 7, to: null, rate: '1' },
    ],
    'gap: no tier has 6 to 6',
  ],
  [
    [
      { from: 1, to: 5, rate: '1' },
      { from: 4, to: null, rate: '1' },
    ],
    'overlap: two tiers have 4 to 5',
  ],
  [[{ from: 1, to: 5, rate: '1' }], 'gap: no tier has 6 and more; the last tier ends at null'],
  [
    [
      { from: 1, to: null, rate: '1' },
      { from: 6, to: null, rate: '1' },
    ],
    'overlap: only the last tier may be open (to: null)',
  ],
  [
    [
      { from: 1, to: 0, rate: '1' },
      { from: 1, to: null, rate: '1' },
    ],
    'the tier ends at 0, before it begins at 1',
  ],
  [[], 'tiers'],
  [[{ from: 1, to: null, rate: 0.8 }], 'tiers.0.rate'],
  [[{ from: 1, to: null, rate: '-1' }], 'a decimal text from 0'],
  [[{ from: 1.5, to: null, rate: '1' }], 'tiers.0.from'],
] as const)('tiers %j are refused: %s', ([data, sentence]) => {
  expect(() => planOf({ mode: 'volume', tiers: data })).toThrow(
    expect.objectContaining({
      code: 'BILLING_PRICES_INVALID',
      message: expect.stringContaining(sentence) as string,
    }),
  )
})

test('a price book warns of a rate that rises and of a bill that falls when a sensor is added', () => {
  const sensorDays = { mode: 'volume', tiers: TIERS }
  const book = (plan: object): readonly string[] =>
    parsePriceBook({ version: '1', cards: [cardOf({ sensorDays: plan })], assignments: [] }).warnings
  expect(book(sensorDays)).toEqual([
    'card standard: 9 to 9 sensors cost more than 10 do',
    'card standard: 38 to 49 sensors cost more than 50 do',
  ])
  expect(book({ mode: 'graduated', tiers: TIERS })).toEqual([])
  const rising = [
    { from: 1, to: 9, rate: '0.5' },
    { from: 10, to: null, rate: '0.8' },
  ]
  expect(book({ mode: 'graduated', tiers: rising })).toEqual([
    'card standard: from 10 on a sensor costs more (0.8) than before',
  ])
})
