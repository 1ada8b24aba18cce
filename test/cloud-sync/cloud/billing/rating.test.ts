import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  amountText,
  type Charge,
  type DayFact,
  parsePriceBook,
  rate,
} from '../../../../cloud-sync/cloud/billing/index.ts'
import {
  active,
  cardOf,
  cards,
  DAM,
  JULY,
  julyFacts,
  pricesOf,
  sensors,
  sent,
  TIERS,
} from '../../../support/billing-world.ts'

const rated = (facts: readonly DayFact[], card: object = cardOf()): readonly Charge[] =>
  rate({ org: DAM, period: JULY, facts, prices: pricesOf(card) }).charges
const priceOf = (charges: readonly Charge[]): string =>
  amountText(charges.reduce((sum, { amount }) => sum + amount, 0n))
const FIRST = '2026-07-01'

test('S0.30 what is charged is data collected directly: no derived sensor, no diagnostic one, no other meter', () => {
  const facts = [
    active(FIRST, 'crest'),
    active(FIRST, 'derived', { billable: false }),
    active(FIRST, 'battery', { billable: false }),
    active(FIRST, 'wall', { meter: 'sensor.readings', quantity: 1440n }),
    active(FIRST, 'idle', { quantity: 0n }),
    active(FIRST, 'other', { org: 'mine' as typeof DAM }),
    active('2026-08-01', 'later'),
    sent(FIRST, 5n, { billable: false }),
    sent(FIRST, 7n, { meter: 'cell.rx' }),
  ]
  const card = cardOf({ cellular: [{ zone: 'all', networks: ['*'], perMegabyte: '1' }] })
  expect(rated(facts, card).map(({ subject }) => subject)).toEqual(['sensor:crest/main'])
})

test('I12 a sensor is one sensor-day however often its register began anew and whoever had it', () => {
  const day = '2026-10-25'
  const facts = [
    active(day, 'crest', { custodian: 'ben' }),
    active(day, 'crest', { custodian: 'anna' }),
    active(day, 'crest', { quantity: 3n, workspace: null }),
  ]
  for (const some of [facts, facts.toReversed()]) {
    const { charges } = rate({ org: DAM, period: '2026-10', facts: some, prices: pricesOf() })
    expect(charges.map(({ custodian, workspace, consumed }) => [custodian, workspace, consumed])).toEqual([
      ['anna', 'wall', 1n],
    ])
    expect(priceOf(charges)).toBe('1')
  }
})

test('I12 the same name on another gateway is another sensor', () => {
  expect(rated([active(FIRST, 'crest'), active(FIRST, 'crest', { gateway: 'GW-2' })])).toHaveLength(2)
})

test('a graduated day is split evenly, and what 10^-12 leaves goes to the first by name', () => {
  const sensorDays = {
    mode: 'graduated',
    tiers: [
      { from: 1, to: 1, rate: '1' },
      { from: 2, to: null, rate: '0' },
    ],
  }
  const charges = rated(sensors(FIRST, 3).toReversed(), cardOf({ sensorDays }))
  expect(charges.map(({ subject, amount }) => [subject, amountText(amount)])).toEqual([
    ['sensor:s000/main', '0.333333333334'],
    ['sensor:s001/main', '0.333333333333'],
    ['sensor:s002/main', '0.333333333333'],
  ])
})

test('I6 the charges are a function of the set of facts: no order changes them', () => {
  fc.assert(
    fc.property(
      julyFacts.chain((facts) =>
        fc.tuple(fc.constant(facts), fc.shuffledSubarray(facts, { minLength: facts.length })),
      ),
      cards,
      ([facts, mixed], card) => {
        expect(rated(mixed, card)).toEqual(rated(facts, card))
      },
    ),
  )
})

const cellular = [
  { zone: 'home', networks: ['262', '26203'], perMegabyte: '0.10', includedBytes: 0 },
  { zone: 'alps', networks: ['228', '26202'], perMegabyte: '0.5' },
  { zone: 'elsewhere', networks: ['*'], perMegabyte: '2' },
]

test.for([
  ['26201', 'home', '0.1'],
  ['26202', 'alps', '0.5'],
  ['22801', 'alps', '0.5'],
  ['310410', 'elsewhere', '2'],
  [null, 'elsewhere', '2'],
] as const)('a megabyte in network %s is in zone %s and costs %s', ([network, zone, price]) => {
  const charges = rated([sent(FIRST, 1_000_000n, { network })], cardOf({ cellular }))
  expect(charges.map(({ sku, amount }) => [sku, amountText(amount)])).toEqual([[zone, price]])
})

test('one byte has its exact price', () => {
  const [charge] = rated(
    [sent(FIRST, 1n)],
    cardOf({ cellular: [{ zone: 'all', networks: ['*'], perMegabyte: '0.000001' }] }),
  )
  expect(charge?.amount).toBe(1n)
})

test('included bytes are taken from every link and day in proportion, to the last byte', () => {
  const card = cardOf({
    cellular: [{ zone: 'all', networks: ['*'], perMegabyte: '1', includedBytes: 1_000 }],
  })
  const facts = [sent(FIRST, 2_000n), sent('2026-07-02', 1_000n), sent(FIRST, 1n, { gateway: 'GW-2' })]
  expect(rated(facts, card).map(({ consumed, charged }) => [consumed, charged])).toEqual([
    [2_000n, 1_333n],
    [1n, 1n],
    [1_000n, 667n],
  ])
  expect(rated([sent(FIRST, 999n)], card).map(({ charged }) => charged)).toEqual([0n])
})

test('included bytes and fees of a card that applies for part of a month count by its days', () => {
  const half = {
    cellular: [{ zone: 'all', networks: ['*'], perMegabyte: '1', includedBytes: 3_100 }],
    fees: [{ id: 'platform', perMonth: '31' }],
  }
  const prices = parsePriceBook({
    version: '1',
    cards: [cardOf(half), cardOf({ id: 'free', fees: [] })],
    assignments: [
      { org: DAM, card: 'standard', from: '2026-07-01' },
      { org: DAM, card: 'free', from: '2026-07-11' },
    ],
  })
  const { charges } = rate({ org: DAM, period: JULY, facts: [sent(FIRST, 1_500n)], prices })
  expect(charges.find(({ service }) => service === 'cellular')?.charged).toBe(500n)
  expect(priceOf(charges.filter(({ service }) => service === 'fees'))).toBe('10')
})

test('the days of a month add up to its fee exactly', () => {
  const charges = rated([], cardOf({ fees: [{ id: 'platform', perMonth: '9.99' }] }))
  expect(charges).toHaveLength(31)
  expect(priceOf(charges)).toBe('9.99')
})

test('usage on a day without a rate card is shown as unpriced, never forgotten', () => {
  const prices = parsePriceBook({ version: '1', cards: [], assignments: [] })
  const facts = [active(FIRST, 'crest'), sent(FIRST, 5n), active(FIRST, 'battery', { billable: false })]
  expect(rate({ org: DAM, period: JULY, facts, prices })).toEqual({
    charges: [],
    unpriced: facts.slice(0, 2),
  })
})

test('a card without cellular prices charges none', () => {
  expect(rated([sent(FIRST, 5n)], cardOf())).toEqual([])
})

test('I16 exact beyond 2^53: the sum of the charges is the price of the day, to 10^-12', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.bigInt(2n ** 53n, 2n ** 90n), (count, rate) => {
      const text = amountText(rate)
      const tiers = [...TIERS.slice(0, 1), { from: 10, to: null, rate: text }]
      const charges = rated(sensors(FIRST, count), cardOf({ sensorDays: { mode: 'graduated', tiers } }))
      const beyond = BigInt(Math.max(0, count - 9))
      const expected = BigInt(Math.min(9, count)) * 10n ** 12n + beyond * rate
      expect(charges.reduce((sum, { amount }) => sum + amount, 0n)).toBe(expected)
    }),
  )
})
