import fc from 'fast-check'
import {
  bookedFor,
  type Books,
  close,
  type DayFact,
  emptyBooks,
  makeStatement,
  parsePriceBook,
  type Period,
  periodOf,
  type PriceBook,
  type Statement,
} from '../../cloud-sync/cloud/billing/index.ts'
import type { OrgId } from '../../cloud-sync/contract/index.ts'

export const DAM = 'dam' as OrgId
export const JULY = '2026-07'
export const AUGUST = '2026-08'
export const ZONE = 'Europe/Berlin'
export const MEMBERS: ReadonlySet<string> = new Set(['anna', 'ben'])

/** The tiers of metering.md, section 3: 1-9 at 1.00, 10-49 at 0.80, 50 and more at 0.60. */
export const TIERS = [
  { from: 1, to: 9, rate: '1.00' },
  { from: 10, to: 49, rate: '0.80' },
  { from: 50, to: null, rate: '0.60' },
]
export const cardOf = (fields: object = {}): Record<string, unknown> => ({
  id: 'standard',
  currency: 'EUR',
  minorDigits: 2,
  sensorDays: { mode: 'volume', tiers: TIERS },
  ...fields,
})
/** One card for the dam, for ever. */
export const pricesOf = (card: object = cardOf()): PriceBook =>
  parsePriceBook({
    version: '1',
    cards: [card],
    assignments: [{ org: DAM, card: 'standard', from: '2020-01-01' }],
  })

/** A sensor that was read on a day. */
export const active = (day: string, sensor: string, fields: Partial<DayFact> = {}): DayFact => ({
  org: DAM,
  day,
  meter: 'sensor.active_day',
  gateway: 'GW-1',
  subject: `sensor:${sensor}/main`,
  custodian: 'anna',
  workspace: 'wall',
  billable: true,
  quantity: 1n,
  network: null,
  ...fields,
})
/** Bytes over a cellular link on a day. */
export const sent = (day: string, bytes: bigint, fields: Partial<DayFact> = {}): DayFact => ({
  ...active(day, 'x', { meter: 'cell.alloc', subject: 'link:wwan0', quantity: bytes, network: '26201' }),
  ...fields,
})
export const sensors = (day: string, count: number, fields: Partial<DayFact> = {}): DayFact[] =>
  Array.from({ length: count }, (_, n) => active(day, `s${String(n).padStart(3, '0')}`, fields))

/** The statement of a month after what the books hold, from all facts there are now. */
export function statementOf(given: {
  readonly facts: readonly DayFact[]
  readonly period?: Period
  readonly prices?: PriceBook
  readonly books?: Books
}): Statement {
  const { facts, period = JULY, prices = pricesOf(), books = emptyBooks(DAM) } = given
  const months = new Map<Period, DayFact[]>()
  for (const fact of facts) {
    const used = periodOf(fact.day)
    if (used <= period) months.set(used, [...(months.get(used) ?? []), fact])
  }
  return makeStatement({
    org: DAM,
    period,
    zone: ZONE,
    prices,
    facts: months,
    bookedFor: (used) => bookedFor(books, used),
  })
}

/** Closes the months one after another, each with the facts known then. */
export function closeAll(
  steps: readonly (readonly [Period, readonly DayFact[]])[],
  prices: PriceBook = pricesOf(),
): Books {
  return steps.reduce(
    (books, [period, facts]) => close(books, statementOf({ facts, period, prices, books })),
    emptyBooks(DAM),
  )
}

const DIGITS_MAX = 12
const money = fc
  .tuple(fc.bigInt(0n, 2n ** 60n), fc.integer({ min: 0, max: DIGITS_MAX }))
  .map(([value, digits]) => {
    const text = value.toString().padStart(digits + 1, '0')
    return digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`
  })

/** Halves and wholes of the smallest coin, where rounding ties: of what nobody draws by chance. */
const halfCoins = fc.constantFrom(
  '0.00005',
  '0.0005',
  '0.005',
  '0.015',
  '0.01',
  '0.025',
  '0.05',
  '0.5',
  '1.5',
)
const rates = fc.oneof(money, halfCoins)

/** Whole tier tables: contiguous from 1, any rates up to beyond 2^53 with up to 12 places, also halves of a cent. */
export const tiers = fc
  .array(
    fc.record({
      length: fc.oneof(fc.bigInt(1n, 20n), fc.bigInt(1n, 2n ** 60n)),
      rate: rates,
      flat: fc.oneof(fc.constant('0'), rates),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((parts) => {
    let from = 1n
    return parts.map(({ length, rate, flat }, index) => {
      const first = from
      from += length
      const to = index === parts.length - 1 ? null : (from - 1n).toString()
      return { from: first.toString(), to, rate, flat }
    })
  })
export const plans = fc.record({
  mode: fc.constantFrom('volume', 'graduated'),
  tiers,
  included: fc.oneof(
    fc.constant('0'),
    fc.bigInt(0n, 30n).map((count) => count.toString()),
  ),
})
export const cards = fc
  .record({
    minorDigits: fc.integer({ min: 0, max: 4 }),
    sensorDays: plans,
    perMegabyte: fc.oneof(
      fc
        .tuple(fc.bigInt(0n, 10n ** 9n), fc.integer({ min: 0, max: 999_999 }))
        .map(([whole, fraction]) => `${whole}.${String(fraction).padStart(6, '0')}`),
      halfCoins,
    ),
    includedBytes: fc
      .oneof(fc.bigInt(0n, 10n ** 7n), fc.constantFrom(0n, 1_000_000n))
      .map((bytes) => bytes.toString()),
    fee: rates,
  })
  .map(({ minorDigits, sensorDays, perMegabyte, includedBytes, fee }) =>
    cardOf({
      minorDigits,
      sensorDays,
      cellular: [{ zone: 'all', networks: ['*'], perMegabyte, includedBytes }],
      fees: [{ id: 'platform', perMonth: fee }],
    }),
  )

/** Every price is a half or a whole of the smallest coin, so that most sums tie. */
export const tieCards = fc
  .tuple(fc.constantFrom('0.005', '0.015', '0.025'), fc.constantFrom('0.01', '0.005'))
  .map(([dear, cheap]) =>
    cardOf({
      sensorDays: {
        mode: 'volume',
        tiers: [
          { from: 1, to: 2, rate: dear },
          { from: 3, to: null, rate: cheap },
        ],
      },
      cellular: [{ zone: 'all', networks: ['*'], perMegabyte: cheap }],
    }),
  )

const named = (prefix: string, count: number): fc.Arbitrary<string> =>
  fc.integer({ min: 0, max: count - 1 }).map((n) => `${prefix}${n}`)

/** What a ledger may say of July: sensors, links, payers, also what is not billable. */
export const julyFacts = fc.array(
  fc
    .record({
      day: fc.integer({ min: 1, max: 31 }).map((n) => `${JULY}-${String(n).padStart(2, '0')}`),
      sensor: named('s', 12),
      gateway: named('GW-', 3),
      custodian: fc.oneof(fc.constant(null), fc.constantFrom('anna', 'ben', 'carl')),
      workspace: fc.oneof(fc.constant(null), fc.constantFrom('wall', 'crest')),
      billable: fc.integer({ min: 0, max: 9 }).map((n) => n > 0),
      bytes: fc.oneof(
        fc.constant(0n),
        fc.constantFrom(500_000n, 1_000_000n, 1_500_000n),
        fc.bigInt(1n, 10n ** 7n),
        fc.bigInt(2n ** 53n, 2n ** 70n),
      ),
    })
    .map(({ day, sensor, gateway, custodian, workspace, billable, bytes }): DayFact => {
      const of = { gateway, custodian, workspace, billable }
      return bytes === 0n ? active(day, sensor, of) : sent(day, bytes, of)
    }),
  { maxLength: 60 },
)

/** A handful of days and half megabytes: with `tieCards` their sums tie and their cells have no remainders. */
export const fewFacts = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: -3, max: 4 })), { maxLength: 8 })
  .map((days) =>
    days.map(
      ([day, what]): DayFact =>
        what < 0 ? sent(`${JULY}-0${day}`, BigInt(-what) * 500_000n) : active(`${JULY}-0${day}`, `s${what}`),
    ),
  )
