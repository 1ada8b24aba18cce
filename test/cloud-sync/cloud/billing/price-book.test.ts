import { expect, test } from 'vitest'
import { parsePriceBook } from '../../../../cloud-sync/cloud/billing/index.ts'
import { cardOf, DAM } from '../../../support/billing-world.ts'

const ZONES = [
  { zone: 'home', networks: ['262'], perMegabyte: '0.10' },
  { zone: 'elsewhere', networks: ['*'], perMegabyte: '1' },
]
const assigned = (card: string, from: string): object => ({ org: DAM, card, from })
const bookOf = (cards: object[], assignments: object[] = []): object => ({ version: '1', cards, assignments })

test('a card applies from its day on until the next one, and before the first there is none', () => {
  const prices = parsePriceBook(
    bookOf(
      [cardOf(), cardOf({ id: 'later' })],
      [assigned('later', '2026-07-15'), assigned('standard', '2026-07-01')],
    ),
  )
  const on = (day: string): string | undefined => prices.cardOn(DAM, day)?.id
  expect(['2026-06-30', '2026-07-01', '2026-07-14', '2026-07-15', '2031-01-01'].map(on)).toEqual([
    undefined,
    'standard',
    'standard',
    'later',
    'later',
  ])
  expect(prices.cardOn('mine' as typeof DAM, '2026-07-20')).toBeUndefined()
})

test.for([
  ['a card that is not there', bookOf([], [assigned('standard', '2026-07-01')]), 'there is no card standard'],
  [
    'two cards from one day on',
    bookOf([cardOf()], [assigned('standard', '2026-07-01'), assigned('standard', '2026-07-01')]),
    'overlap: dam has two cards from 2026-07-01 on',
  ],
  ['two cards of one id', bookOf([cardOf(), cardOf()]), 'card standard is there twice'],
  [
    'another currency later on',
    bookOf(
      [cardOf(), cardOf({ id: 'yen', currency: 'JPY', minorDigits: 0 })],
      [assigned('standard', '2026-07-01'), assigned('yen', '2026-08-01')],
    ),
    'dam pays in EUR with 2 places; card yen is in JPY with 0 places',
  ],
  [
    'a megabyte so cheap that a byte is less than 10^-12',
    bookOf([cardOf({ cellular: [{ zone: 'all', networks: ['*'], perMegabyte: '0.0000001' }] })]),
    'a decimal text from 0 with at most 6 places',
  ],
  ['no price elsewhere', bookOf([cardOf({ cellular: ZONES.slice(0, 1) })]), 'no zone has the network *'],
  [
    'a network in two zones',
    bookOf([cardOf({ cellular: [...ZONES, { zone: 'third', networks: ['262'], perMegabyte: '2' }] })]),
    'network 262 is in two zones',
  ],
  [
    'a zone twice',
    bookOf([cardOf({ cellular: [...ZONES, { zone: 'home', networks: ['208'], perMegabyte: '2' }] })]),
    'zone home is there twice',
  ],
  [
    'a fee twice',
    bookOf([cardOf({ fees: ['1', '2'].map((perMonth) => ({ id: 'platform', perMonth })) })]),
    'fee platform is there twice',
  ],
  ['a key that nobody knows', bookOf([cardOf({ discount: 5 })]), 'discount'],
  ['a float', bookOf([cardOf({ fees: [{ id: 'platform', perMonth: 9.5 }] })]), 'cards.0.fees.0.perMonth'],
  ['no day', bookOf([cardOf()], [assigned('standard', '2026-02-30')]), 'assignments.0.from'],
] as const)('%s is refused with its place', ([, data, sentence]) => {
  expect(() => parsePriceBook(data)).toThrow(
    expect.objectContaining({
      code: 'BILLING_PRICES_INVALID',
      message: expect.stringContaining(sentence) as string,
    }),
  )
})

test('several faults are named together', () => {
  expect(() =>
    parsePriceBook(bookOf([cardOf({ minorDigits: 9, currency: 'Euro' })], [assigned('none', '2026-07-01')])),
  ).toThrow(/currency.*minorDigits/)
})
