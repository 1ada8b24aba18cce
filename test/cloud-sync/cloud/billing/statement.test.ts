import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  bookedFor,
  byDay,
  bySensor,
  byUser,
  byWorkspace,
  cellularByGateway,
  cellularByUser,
  close,
  type DayFact,
  minorText,
  minorUnit,
  type PriceBook,
  type Statement,
} from '../../../../cloud-sync/cloud/billing/index.ts'
import {
  active,
  AUGUST,
  cardOf,
  cards,
  closeAll,
  fewFacts,
  JULY,
  julyFacts,
  MEMBERS,
  pricesOf,
  sensors,
  sent,
  statementOf,
  tieCards,
} from '../../../support/billing-world.ts'

const FIRST = '2026-07-01'
const of = (costs: readonly { readonly minor: bigint }[]): bigint =>
  costs.reduce((sum, { minor }) => sum + minor, 0n)
const serviceTotal = ({ lines }: Statement, service: string): bigint =>
  of(lines.filter((line) => line.service === service))

/** By sensor, by user and by day are the invoice line, whatever it corrects. */
function expectViewsOf(statement: Statement, prices: PriceBook): void {
  const line = serviceTotal(statement, 'sensor-days')
  expect(of(bySensor(statement))).toBe(line)
  expect(of(byUser(statement, MEMBERS))).toBe(line)
  expect(of(byDay(statement, prices))).toBe(line)
  const cellular = serviceTotal(statement, 'cellular')
  expect(of(cellularByGateway(statement))).toBe(cellular)
  const ownerOf = (gateway: string): string | null => (gateway === 'GW-1' ? 'anna' : null)
  expect(of(cellularByUser(statement, { ownerOf, members: MEMBERS }))).toBe(cellular)
  expect(of(byWorkspace(statement))).toBe(statement.total)
}

test('I14 by sensor, by user and by day are the invoice line, to the minor unit; so are the cellular views', () => {
  fc.assert(
    fc.property(julyFacts, cards, (facts, card) => {
      const prices = pricesOf(card)
      const statement = statementOf({ facts, prices })
      expectViewsOf(statement, prices)
      for (const { cells, minor, exact } of statement.lines) {
        expect(of(cells)).toBe(minor)
        expect(cells.reduce((sum, { amount }) => sum + amount, 0n)).toBe(exact)
      }
    }),
  )
})

test('I16 a line is rounded once: half a minor unit off at most, whatever its cells', () => {
  fc.assert(
    fc.property(julyFacts, cards, (facts, card) => {
      const { lines, minorDigits } = statementOf({ facts, prices: pricesOf(card) })
      const unit = minorUnit(minorDigits)
      for (const { minor, exact, cells } of lines) {
        const off = minor * unit - exact
        expect(off * 2n <= unit && off * 2n >= -unit).toBe(true)
        for (const cell of cells) {
          const own = cell.minor * unit - cell.amount
          expect(own < unit && own > -unit).toBe(true)
        }
      }
    }),
  )
})

test('where every sensor and day costs the same half cent, nobody gets the odd cents of others', () => {
  const sensorDays = { mode: 'volume', tiers: [{ from: 1, to: null, rate: '0.005' }] }
  const days = Array.from({ length: 30 }, (_, n) => `2026-07-${String(n + 1).padStart(2, '0')}`)
  const prices = pricesOf(cardOf({ sensorDays }))
  const statement = statementOf({ facts: days.flatMap((day) => sensors(day, 100)), prices })
  expect(minorText(statement.total, 2)).toBe('15.00')
  expect(new Set(bySensor(statement).map(({ minor }) => minor))).toEqual(new Set([15n]))
  const costs = byDay(statement, prices).slice(0, 30)
  expect(costs.filter(({ minor }) => minor < 49n || minor > 51n)).toEqual([])
})

describe('the views of the billing page', () => {
  const facts = [
    ...sensors(FIRST, 9),
    ...sensors('2026-07-02', 40),
    active('2026-07-02', 'gone', { custodian: 'carl', workspace: 'crest' }),
    active('2026-07-02', 'nobodys', { custodian: null, workspace: null }),
    sent(FIRST, 3_000_000n),
    sent('2026-07-02', 1_000_000n, { gateway: 'GW-2', subject: 'sensor:s1/main', custodian: 'carl' }),
  ]
  const prices = pricesOf(
    cardOf({
      cellular: [{ zone: 'all', networks: ['*'], perMegabyte: '0.25' }],
      fees: [{ id: 'platform', perMonth: '20' }],
    }),
  )
  const statement = statementOf({ facts, prices })

  test('S0.31 by sensor: which collect, on how many days, and how much is charged', () => {
    const all = bySensor(statement)
    expect(all).toHaveLength(42)
    expect(all[0]).toMatchObject({ gateway: 'GW-1', subject: 'sensor:gone/main', consumed: 1n, minor: 80n })
    expect(all.find(({ subject }) => subject === 'sensor:s000/main')).toMatchObject({
      consumed: 2n,
      minor: 180n,
    })
  })

  test('S0.32 by user: who owns the sensors charged, those who left shown as former', () => {
    expect(byUser(statement, MEMBERS)).toMatchObject([
      { custodian: null, former: false, resources: 1, minor: 80n },
      { custodian: 'anna', former: false, resources: 40, minor: 4100n },
      { custodian: 'carl', former: true, resources: 1, minor: 80n },
    ])
  })

  test('S0.33 by day: the charge and the number of sensors to the next bulk discount', () => {
    const days = byDay(statement, prices)
    expect(days).toHaveLength(31)
    expect(days[0]).toMatchObject({ day: FIRST, minor: 900n, outlook: { sensors: 9n, toNext: 1n } })
    expect(days[1]).toMatchObject({ minor: 3360n, outlook: { sensors: 42n, toNext: 8n, cheaperFrom: 38n } })
    expect(days[2]).toMatchObject({ minor: 0n, outlook: { sensors: 0n, toNext: 10n } })
  })

  test('S0.34 cellular usage by gateway, and by the user who owns the gateway, not the sensor', () => {
    expect(cellularByGateway(statement)).toMatchObject([
      { gateway: 'GW-1', consumed: 3_000_000n, minor: 75n },
      { gateway: 'GW-2', consumed: 1_000_000n, minor: 25n },
    ])
    const ownerOf = (gateway: string): string => (gateway === 'GW-2' ? 'ben' : 'anna')
    expect(cellularByUser(statement, { ownerOf, members: MEMBERS })).toMatchObject([
      { custodian: 'anna', resources: 1, minor: 75n },
      { custodian: 'ben', resources: 1, minor: 25n },
    ])
  })

  test('S3.5 cost by workspace and service sums to the total of the account', () => {
    const costs = byWorkspace(statement)
    expect(costs.map(({ workspace, service, minor }) => [workspace, service, minor])).toEqual([
      ['crest', 'sensor-days', 80n],
      ['wall', 'cellular', 100n],
      ['wall', 'sensor-days', 4100n],
      [null, 'fees', 2000n],
      [null, 'sensor-days', 80n],
    ])
    expect(of(costs)).toBe(statement.total)
  })
})

describe('I13 a closed month never changes; what comes late is an adjustment', () => {
  test('one late sensor that reaches the discount takes back more than it adds', () => {
    const early = sensors(FIRST, 9)
    const late = [...early, active(FIRST, 's009', { custodian: 'ben' })]
    const books = closeAll([[JULY, early]])
    const before = structuredClone(books.statements[0])
    const after = close(books, statementOf({ facts: late, period: AUGUST, books }))
    expect(after.statements[0]).toEqual(before)
    const [adjustment] = after.statements[1]?.lines ?? []
    // 9 at 1.00 are 9.00; 10 at 0.80 are 8.00: the correction is -1.00, not +0.80.
    expect(adjustment).toMatchObject({ kind: 'adjustment', period: JULY, consumed: 1n, minor: -100n })
    expect(adjustment?.cells).toHaveLength(10)
    expect(adjustment?.cells.every(({ day }) => day === FIRST)).toBe(true)
    expect(after.postings.at(-1)).toMatchObject({ period: AUGUST, corrects: JULY })
  })

  test('a late sensor on another day touches nothing else', () => {
    const early = sensors(FIRST, 9)
    const late = [...early, active('2026-07-09', 's000')]
    const books = closeAll([
      [JULY, early],
      [AUGUST, late],
    ])
    expect(books.statements[1]?.lines.flatMap(({ cells }) => cells)).toMatchObject([
      { day: '2026-07-09', minor: 100n },
    ])
  })

  test('nothing late: no adjustment, however often the month is looked at again', () => {
    const facts = sensors(FIRST, 9)
    const books = closeAll([
      [JULY, facts],
      [AUGUST, facts],
      ['2026-09', facts],
    ])
    expect(books.statements.map(({ lines }) => lines.length)).toEqual([1, 0, 0])
  })

  test('a payer who changes late is credited, the other charged, and the line stays', () => {
    const books = closeAll([
      [JULY, [active(FIRST, 's0', { custodian: 'ben' })]],
      [AUGUST, [active(FIRST, 's0', { custodian: 'anna' })]],
    ])
    const [line] = books.statements[1]?.lines ?? []
    expect(line).toMatchObject({ minor: 0n, exact: 0n, consumed: 0n })
    expect(line?.cells.map(({ custodian, minor }) => [custodian, minor])).toEqual([
      ['anna', 100n],
      ['ben', -100n],
    ])
  })

  test('usage of a month that was never billed comes whole, and a closed month refuses a second statement', () => {
    const books = closeAll([[AUGUST, sensors(FIRST, 2)]])
    expect(books.statements[0]?.lines).toMatchObject([{ kind: 'adjustment', period: JULY, minor: 200n }])
    const again = statementOf({ facts: sensors('2026-08-01', 1), period: AUGUST })
    expect(() => close(books, again)).toThrow(expect.objectContaining({ code: 'BILLING_PERIOD_CLOSED' }))
    const closed = closeAll([[JULY, sensors(FIRST, 2)]])
    expect(() => statementOf({ facts: [], period: JULY, books: closed })).toThrow(
      expect.objectContaining({ code: 'BILLING_PERIOD_CLOSED' }),
    )
  })

  test.for([
    ['a cheaper tier', '0.015', [1, 3], 2n],
    ['bytes', '0.01', [1_500_000n, 1_000_000n], 0n],
  ] as const)('at a tie of rounding the cells of a correction are its line: %s', ([, rate, used, minor]) => {
    const sensorDays = {
      ...{ mode: 'volume', included: 0 },
      tiers: [
        { from: 1, to: 2, rate },
        { from: 3, to: null, rate: '0.01' },
      ],
    }
    const cellular = [{ zone: 'all', networks: ['*'], perMegabyte: rate }]
    const [before, later] = used.map((count, index) =>
      typeof count === 'bigint'
        ? [sent(`2026-07-0${index + 1}`, count)]
        : sensors(`2026-07-0${index + 1}`, count),
    )
    const early = before ?? []
    const whole = [...early, ...(later ?? [])]
    const prices = pricesOf(cardOf({ sensorDays, cellular }))
    const books = closeAll(
      [
        [JULY, early],
        [AUGUST, whole],
      ],
      prices,
    )
    const [line] = books.statements[1]?.lines ?? []
    expect(line?.minor).toBe(minor)
    expect(of(line?.cells ?? [])).toBe(minor)
    expect(of(bookedFor(books, JULY))).toBe(statementOf({ facts: whole, prices }).total)
  })

  test.for([
    ['any prices', cards, julyFacts, 100],
    ['prices of half a cent', tieCards, fewFacts, 500],
  ] as const)(
    'in any two halves, across any close, statement plus adjustments are what one statement would have said: %s',
    ([, someCards, someFacts, numRuns]) => {
      fc.assert(
        fc.property(someFacts, someCards, fc.infiniteStream(fc.boolean()), (facts, card, coin) => {
          const prices = pricesOf(card)
          const first = facts.filter(() => coin.next().value)
          const books = closeAll(
            [
              [JULY, first],
              [AUGUST, facts],
            ],
            prices,
          )
          const whole = statementOf({ facts, prices })
          const july = bookedFor(books, JULY)
          expect(of(july)).toBe(whole.total)
          expect(july.reduce((sum, { exact }) => sum + exact, 0n)).toBe(whole.exact)
          for (const line of july) expect(of(line.cells)).toBe(line.minor)
          for (const statement of books.statements) expectViewsOf(statement, prices)
        }),
        { numRuns },
      )
    },
  )
})

test('a statement says its money, its zone and the moments of its month', () => {
  const facts: readonly DayFact[] = [...sensors(FIRST, 1), sent(FIRST, 5n)]
  expect(statementOf({ facts })).toMatchObject({
    currency: 'EUR',
    minorDigits: 2,
    from: Date.parse('2026-06-30T22:00:00Z'),
    to: Date.parse('2026-07-31T22:00:00Z'),
    total: 100n,
    rounding: 0n,
    unreported: [],
  })
})
