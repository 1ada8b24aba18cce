import { expect, test } from 'vitest'
import type { DayFact } from '../../../../cloud-sync/cloud/billing/index.ts'
import { postedUsage } from '../../../support/billing-desk.ts'
import { billingSite } from '../../../support/billing-site.ts'
import { active, AUGUST, cardOf, DAM, JULY, sensors } from '../../../support/billing-world.ts'
import { OPERATOR_TOKEN } from '../../../support/directory-api.ts'

const CUST = 'cust' as DayFact['org']
const FIRST = '2026-07-01'
const flat = (rate: string, fields: object = {}) =>
  cardOf({ sensorDays: { mode: 'volume', tiers: [{ from: 1, to: null, rate }] }, ...fields })
const bookOf = (version: string, card: object, org: string = CUST) => ({
  ...{ version, cards: [card], assignments: [{ org, card: 'standard', from: FIRST }] },
})

/** A partner whose customer began on 1 July at noon; nothing is posted yet. */
async function partnered() {
  const site = await billingSite()
  const { api, call } = site
  const posted: DayFact[][] = []
  Object.assign(api.billing.world.usage, postedUsage(posted))
  await api.directory.person('pat', 'pro', { type: 'partner', preset: 'meter.me' })
  api.directory.pass(Date.parse('2026-07-01T12:00Z') - api.directory.now())
  const pat = await api.session('pat')
  await call('links.createCustomer', pat, { org: 'pro', id: CUST, name: 'Customer', systems: ['Well'] })
  await call('billing.setPrices', OPERATOR_TOKEN, { book: bookOf('2', cardOf()) })
  const rows = async (period: string, by = pat, org = 'pro') =>
    ((await call('billing.rebilling', by, { org, period })).body['items'] as Record<string, string>[]).map(
      ({ customer, used, cost, price, margin }) => [customer, used, cost, price, margin],
    )
  const close = async (moment: string) => {
    site.at(moment)
    await call('billing.closeNow', OPERATOR_TOKEN, { org: CUST })
  }
  const setOwn = (book: object) =>
    api.ask(pat, '/v1/organisations/pro/billing/prices', { method: 'POST', body: { book } })
  return { ...site, posted, pat, rows, close, setOwn }
}

test('S3.18 a partner bills its customers by its own rate cards', async () => {
  const { posted, rows, close, setOwn } = await partnered()
  posted.push(sensors(FIRST, 10, { org: CUST }))
  expect((await setOwn(bookOf('p1', flat('2')))).status).toBe(200)
  await close('2026-08-05T00:00:00Z')
  expect(await rows(JULY)).toEqual([[CUST, JULY, '8.00', '20.00', '12.00']])
  expect((await setOwn(bookOf('p2', flat('2'), DAM))).body).toMatchObject({ code: 'INVOICING_INPUT_INVALID' })
})

test('S3.18 what comes late has its price as it has its cost, in the month that is open', async () => {
  const { posted, rows, close, setOwn } = await partnered()
  posted.push(sensors(FIRST, 9, { org: CUST }))
  await setOwn(bookOf('p1', flat('2')))
  await close('2026-08-05T00:00:00Z')
  // The tenth makes all ten cheaper for the partner, and is one more for its customer.
  posted.push([active(FIRST, 's009', { org: CUST })], sensors('2026-08-02', 1, { org: CUST }))
  const august = [
    [CUST, JULY, '-1.00', '2.00', '3.00'],
    [CUST, AUGUST, '1.00', '2.00', '1.00'],
  ]
  expect(await rows(AUGUST)).toEqual(august)
  await close('2026-09-05T00:00:00Z')
  posted.push([active(FIRST, 's010', { org: CUST })])
  expect(await rows(AUGUST)).toEqual(august)
  expect(await rows(JULY)).toEqual([[CUST, JULY, '9.00', '18.00', '9.00']])
  await close('2026-10-05T00:00:00Z')
  expect(await rows('2026-09')).toEqual([[CUST, JULY, '0.80', '2.00', '1.20']])
})

test("S3.18 a partner's new prices leave closed months as they were", async () => {
  const { api, posted, rows, close, setOwn, pat, call } = await partnered()
  posted.push(sensors(FIRST, 2, { org: CUST }))
  await setOwn(bookOf('p1', flat('2')))
  await close('2026-08-05T00:00:00Z')
  const before = await rows(JULY)
  expect((await setOwn(bookOf('p2', flat('5')))).body).toMatchObject({ code: 'INVOICING_PRICES_RETROACTIVE' })
  const later = {
    version: 'p3',
    cards: [flat('2'), flat('5', { id: 'dear' })],
    assignments: [
      { org: CUST, card: 'standard', from: FIRST },
      { org: CUST, card: 'dear', from: '2026-08-01' },
    ],
  }
  expect((await setOwn(later)).status).toBe(200)
  expect(await rows(JULY)).toEqual(before)
  // Also after the customer has left: what it paid by stays, though it is nobody's customer any more.
  const link = await api.directory.store.read.get('management_link', { org: CUST, partner: 'pro' })
  await call('links.terminate', pat, { org: 'pro', link: link?.id })
  expect(await rows(JULY)).toEqual([])
  expect((await setOwn({ ...later, version: 'p4' })).status).toBe(200)
})

test('S3.18 a partner sees nothing of the days before it managed the customer', async () => {
  const { api, posted, rows, close, call, setOwn } = await partnered()
  posted.push(sensors(FIRST, 2, { org: CUST }))
  await setOwn(bookOf('p1', flat('2')))
  await api.directory.person('quin', 'other', { type: 'partner', preset: 'meter.me' })
  await call('links.ask', await api.session('quin'), { org: 'other', customer: CUST })
  api.directory.pass(Date.parse('2026-08-10T00:00Z') - api.directory.now())
  const [pat, quin] = [await api.session('pat'), await api.session('quin')]
  const link = await api.directory.store.read.get('management_link', { org: CUST, partner: 'other' })
  expect(link).toMatchObject({ state: 'pending' })
  // The customer's owner consents; this one has none but its partner, so the row is written as that would.
  await api.directory.store.transaction(async (tx) => {
    if (link !== undefined)
      await tx.put('management_link', { ...link, state: 'active', begun_at: api.directory.now() })
  })
  await close('2026-08-05T00:00:00Z')
  posted.push([active(FIRST, 'late', { org: CUST }), ...sensors('2026-08-09', 1, { org: CUST })])
  posted.push(sensors('2026-08-10', 1, { org: CUST }))
  await close('2026-09-05T00:00:00Z')
  expect(await rows(JULY, quin, 'other')).toEqual([])
  expect(await rows(AUGUST, quin, 'other')).toEqual([[CUST, AUGUST, '1.00', '0.00', null]])
  expect((await rows(AUGUST, pat)).map(([, used]) => used)).toEqual([JULY, AUGUST])
})

test('I21 a customer that is billed outside is in no re-billing of its partner, and is metered as before', async () => {
  const { posted, rows, close, call, setOwn } = await partnered()
  posted.push(sensors(FIRST, 2, { org: CUST }))
  await setOwn(bookOf('p1', flat('2')))
  const shown = await rows(JULY)
  expect(shown).toHaveLength(1)
  await call('organisations.govern', OPERATOR_TOKEN, { org: CUST, billing: 'external' })
  expect(await rows(JULY)).toEqual([])
  await close('2026-08-05T00:00:00Z')
  expect(await rows(JULY)).toEqual([])
  const { body } = await call('billing.operatorStatement', OPERATOR_TOKEN, { org: CUST, period: JULY })
  expect(body).toMatchObject({ total: '2.00' })
  await call('organisations.govern', OPERATOR_TOKEN, { org: CUST, billing: 'inApp' })
  expect(await rows(JULY)).toEqual(shown)
})
