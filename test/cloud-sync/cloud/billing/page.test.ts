import { expect, test } from 'vitest'
import { billingPage, makeStatement, rebill } from '../../../../cloud-sync/cloud/billing/index.ts'
import {
  cardOf,
  DAM,
  JULY,
  MEMBERS,
  pricesOf,
  sensors,
  sent,
  statementOf,
  ZONE,
} from '../../../support/billing-world.ts'

const FIRST = '2026-07-01'
const cellular = [{ zone: 'all', networks: ['*'], perMegabyte: '1' }]
const facts = [...sensors(FIRST, 2), sent(FIRST, 1_000_000n)]
const prices = pricesOf(cardOf({ cellular }))
const asked = { prices, members: MEMBERS, ownerOf: () => 'anna' }

test('S0.35 who is invoiced outside sees no usage at all, cellular included', () => {
  const page = billingPage(statementOf({ facts, prices }), { ...asked, billedOutside: true })
  expect(JSON.stringify(page)).toBe('{"visible":false}')
})

test('I21 metering and rating go on for who is invoiced outside: the statement is the same', () => {
  const statement = statementOf({ facts, prices })
  const page = billingPage(statement, { ...asked, billedOutside: false })
  expect(page).toMatchObject({ visible: true, statement: { total: 300n }, bySensor: [{}, {}] })
  expect(billingPage(statement, { ...asked, billedOutside: true })).toEqual({ visible: false })
  expect(statement.total).toBe(300n)
})

test('S3.18 a partner bills its customers by its own card: their lines, its cost and its margin', () => {
  const own = pricesOf(
    cardOf({
      sensorDays: { mode: 'volume', tiers: [{ from: 1, to: null, rate: '2.50' }] },
      fees: [{ id: 'care', perMonth: '10' }],
    }),
  )
  const cost = statementOf({ facts, prices })
  const price = statementOf({ facts, prices: own })
  const rows = rebill([{ cost, price }])
  expect(rows).toMatchObject([
    {
      customer: 'dam',
      used: JULY,
      service: 'cellular',
      consumed: 1_000_000n,
      price: 0n,
      cost: 100n,
      margin: -100n,
    },
    { service: 'fees', price: 1000n, cost: 0n, margin: 1000n },
    { service: 'sensor-days', consumed: 2n, price: 500n, cost: 200n, margin: 300n, currency: 'EUR' },
  ])
  expect(rows.reduce((sum, row) => sum + row.price, 0n)).toBe(price.total)
  expect(rows.reduce((sum, row) => sum + row.cost, 0n)).toBe(cost.total)
})

test('S3.18 in another currency there is no margin to name', () => {
  const yen = pricesOf(cardOf({ currency: 'JPY', minorDigits: 0 }))
  const [row] = rebill([{ cost: statementOf({ facts }), price: statementOf({ facts, prices: yen }) }])
  expect(row).toMatchObject({ price: 2n, currency: 'JPY', costCurrency: 'EUR', margin: null })
})

test('a statement waits for no gateway: it names those that have not reported', () => {
  const unreported = [{ gateway: 'GW-9', since: Date.parse('2026-07-03') }]
  const input = { org: DAM, period: JULY, zone: ZONE, prices, facts: new Map(), bookedFor: () => [] }
  expect(makeStatement({ ...input, unreported }).unreported).toEqual(unreported)
})
