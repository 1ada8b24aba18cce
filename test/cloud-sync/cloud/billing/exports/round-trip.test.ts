import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  bookedFor,
  close,
  emptyBooks,
  focusCsv,
  focusRows,
  linesFromCsv,
  linesFromFocusCsv,
  minorUnit,
  parseAmount,
  type Statement,
  statementCsv,
} from '../../../../../cloud-sync/cloud/billing/index.ts'
import { csvLine, parseCsv } from '../../../../../cloud-sync/cloud/billing/exports/csv.ts'
import {
  AUGUST,
  cardOf,
  cards,
  closeAll,
  DAM,
  JULY,
  julyFacts,
  pricesOf,
  sensors,
  sent,
  statementOf,
} from '../../../../support/billing-world.ts'

const ISSUER = { issuer: 'Headgate' }
const FIRST = '2026-07-01'
const amount = (text: string | null | undefined): bigint => parseAmount(text ?? '') ?? -1n

/** A month and the corrections of it in the next, over all sorts of cards. */
const statements = fc.tuple(julyFacts, julyFacts, cards).map(([some, more, card]) => {
  const prices = pricesOf(card)
  return closeAll(
    [
      [JULY, some],
      [AUGUST, [...some, ...more]],
    ],
    prices,
  ).statements
})

test('I22 CSV: what is exported and imported again is the ledger, line by line and cell by cell', () => {
  fc.assert(
    fc.property(statements, (both) => {
      for (const one of both) expect(linesFromCsv([...statementCsv(one)].join(''))).toEqual(one.lines)
    }),
    { numRuns: 25 },
  )
})

test('I22 FOCUS: what is exported and imported again is the ledger', () => {
  fc.assert(
    fc.property(statements, (both) => {
      for (const one of both)
        expect(linesFromFocusCsv([...focusCsv(one, ISSUER)].join(''))).toEqual(one.lines)
    }),
    { numRuns: 25 },
  )
})

test('I22 FOCUS: quantity times price is the cost in every row that is no correction, and all rows sum to the invoice', () => {
  fc.assert(
    fc.property(statements, (both) => {
      for (const one of both) {
        const rows = [...focusRows(one, ISSUER)]
        for (const row of rows) {
          const isPriced = row.ChargeClass === null && row.ChargeCategory !== 'Adjustment'
          if (!isPriced) continue
          expect(amount(row.PricingQuantity) * amount(row.ContractedUnitPrice)).toBe(
            amount(row.BilledCost) * 10n ** 12n,
          )
        }
        const sum = rows.reduce((all, { BilledCost }) => all + amount(BilledCost), 0n)
        expect(sum).toBe(one.total * minorUnit(one.minorDigits))
        expect(
          rows.filter(({ ChargeCategory }) => ChargeCategory === 'Adjustment').length,
        ).toBeLessThanOrEqual(1)
      }
    }),
    { numRuns: 25 },
  )
})

describe('a FOCUS row', () => {
  const prices = pricesOf(
    cardOf({ cellular: [{ zone: 'all', networks: ['*'], perMegabyte: '0.123456', includedBytes: 500_000 }] }),
  )
  const july = statementOf({ facts: [...sensors(FIRST, 1), sent(FIRST, 1_500_000n)], prices })

  test('has the words that the specification allows, times in UTC and an exact cost', () => {
    const [cellular, sensor, rounding] = [...focusRows(july, ISSUER)]
    expect(sensor).toMatchObject({
      BilledCost: '1',
      BillingAccountId: 'dam',
      BillingCurrency: 'EUR',
      BillingPeriodStart: '2026-06-30T22:00:00Z',
      BillingPeriodEnd: '2026-07-31T22:00:00Z',
      ChargeCategory: 'Usage',
      ChargeClass: null,
      ChargeFrequency: 'Usage-Based',
      ChargePeriodStart: '2026-06-30T22:00:00Z',
      ChargePeriodEnd: '2026-07-01T22:00:00Z',
      ConsumedQuantity: '1',
      ConsumedUnit: 'Sensor-Days',
      PricingQuantity: '1',
      ContractedUnitPrice: '1',
      ResourceId: 'GW-1/sensor:s000/main',
      ResourceType: 'sensor',
      ServiceCategory: 'Internet of Things',
      SkuMeter: 'Sensor Days',
      SubAccountId: 'wall',
      x_Custodian: 'anna',
    })
    expect(cellular).toMatchObject({
      BilledCost: '0.123456',
      ConsumedQuantity: '1.5',
      ConsumedUnit: 'MB',
      PricingQuantity: '1',
      ContractedUnitPrice: '0.123456',
      SkuMeter: 'Cellular Data',
    })
    expect(rounding).toMatchObject({ ChargeCategory: 'Adjustment', BilledCost: '-0.003456' })
  })

  test('of a closed month is a correction, with the day on which it was used', () => {
    const books = close(emptyBooks(DAM), july)
    const facts = [...sensors(FIRST, 2), sent(FIRST, 1_500_000n)]
    const august = statementOf({ facts, period: AUGUST, prices, books })
    expect(bookedFor(books, AUGUST)).toEqual([])
    expect([...focusRows(august, ISSUER)]).toMatchObject([
      {
        ChargeClass: 'Correction',
        ChargePeriodStart: '2026-06-30T22:00:00Z',
        BilledCost: '1',
        ContractedUnitPrice: null,
      },
    ])
  })
})

describe('a damaged file is refused with the row', () => {
  const statement: Statement = statementOf({ facts: sensors(FIRST, 3) })
  const csv = [...statementCsv(statement)].join('')
  const focus = [...focusCsv(statement, ISSUER)].join('')

  test.for([
    ['no header', 'a,b\r\n', 'row 1'],
    ['a cost that is no number', csv.replace(/,1,100\r\n/, ',one,100\r\n'), 'row 2 cannot be read: exact'],
    ['a day that is none', csv.replace('2026-07-01', '2026-07-32'), 'row 2 cannot be read: day'],
    ['a field too few', csv.replace(/,100\r\n/, '\r\n'), 'row 2 cannot be read: columns'],
    ['an open quote', `${csv}"`, 'row 1'],
  ] as const)('CSV: %s', ([, text, sentence]) => {
    expect(() => linesFromCsv(text)).toThrow(
      expect.objectContaining({
        code: 'BILLING_IMPORT_INVALID',
        message: expect.stringContaining(sentence) as string,
      }),
    )
  })

  test('FOCUS: any figure changed alone is a cost that is not quantity times price', () => {
    const rows = parseCsv(focus) ?? []
    const at = (column: string): number => rows[0]?.indexOf(column) ?? -1
    for (const column of ['BilledCost', 'PricingQuantity', 'ContractedUnitPrice']) {
      const lines = rows.map((row, n) =>
        csvLine(row.map((field, c) => (n === 2 && c === at(column) ? '7' : field))),
      )
      expect(() => linesFromFocusCsv(lines.join(''))).toThrow('row 3 cannot be read: BilledCost')
    }
  })
})
