import { expect, test } from 'vitest'
import { billingSite, BOOK, DAM_PATH } from '../../../support/billing-site.ts'
import { DAM, JULY } from '../../../support/billing-world.ts'
import { OPERATOR_TOKEN } from '../../../support/directory-api.ts'

/** What a reader of the page sees, in its order: the strings that are shown (ISO 32000-1, 9.4.3). */
const pdfTexts = (pdf: string): string[] =>
  [...pdf.matchAll(/\(((?:[^\\()]|\\.)*)\) Tj/g)].map(([, text = '']) => text.replaceAll(/\\(.)/g, '$1'))

test('S0.29 a card or a bank is given to the provider, kept by its last digits, and chosen', async () => {
  const { call, ana, stripe, items, api } = await billingSite()
  for (const kind of ['card', 'bank'] as const) {
    const { setup, clientSecret } = (await call('billing.beginMethod', ana, { org: DAM, kind })).body
    expect(clientSecret).toBe(`${String(setup)}_secret`)
    const early = await api.ask(ana, `${DAM_PATH}/billing/payment-methods/confirmation`, {
      method: 'POST',
      body: { setup },
    })
    expect(early.body).toMatchObject({ code: 'INVOICING_METHOD_UNFINISHED' })
    stripe.finishSetup(String(setup), kind)
    await call('billing.saveMethod', ana, { org: DAM, setup })
    // A second time it is the same one.
    await call('billing.saveMethod', ana, { org: DAM, setup })
  }
  const methods = await items('billing.methods')
  expect(methods).toMatchObject([
    { kind: 'card', label: 'visa', last4: '4242', expires: '2031-07', isDefault: false },
    { kind: 'bank', label: 'River Bank', last4: '6789', expires: null, isDefault: true },
  ])
  const [card, bank] = methods as [{ method: string }, { method: string }]
  await call('billing.chooseMethod', ana, { org: DAM, method: card.method })
  await call('billing.removeMethod', ana, { org: DAM, method: bank.method })
  expect(await items('billing.methods')).toMatchObject([{ kind: 'card', isDefault: true }])
  // Only who manages the bills.
  await api.directory.person('eve')
  await api.directory.joins('eve', DAM, 'editor', 'ana')
  const eve = await api.session('eve')
  const refused = await api.ask(eve, `${DAM_PATH}/billing/payment-methods`, {
    method: 'POST',
    body: { kind: 'card' },
  })
  expect(refused).toMatchObject({ status: 403, body: { code: 'DIRECTORY_FORBIDDEN' } })
  expect((await api.ask(eve, `${DAM_PATH}/billing/statement`)).status).toBe(403)
})

test('S0.36 the payment history has a receipt for each payment', async () => {
  const { call, ana, stripe, items, api, at } = await billingSite()
  const { setup } = (await call('billing.beginMethod', ana, { org: DAM, kind: 'card' })).body
  stripe.finishSetup(String(setup), 'card')
  await call('billing.saveMethod', ana, { org: DAM, setup })
  at('2026-08-05T00:00:00Z')
  await api.billing.turn(Date.parse('2026-08-05T00:00:00Z'))
  const [payment] = await items('billing.payments')
  expect(payment).toMatchObject({ invoice: 1, amount: '41.31', currency: 'EUR', state: 'succeeded' })
  expect(await items('billing.invoices')).toMatchObject([{ number: 1, total: '41.31', paid: '41.31' }])
  const path = `${DAM_PATH}/billing/payments/${String(payment?.['payment'])}/receipt`
  const receipt = await api.ask(ana, path)
  expect(receipt.headers.get('Content-Type')).toBe('application/pdf')
  const pdf = String(receipt.body['text'])
  expect(pdf.startsWith('%PDF-1.4')).toBe(true)
  for (const words of ['Receipt 1', 'EUR 41.31', 'visa ending in 4242', '1 River Road'])
    expect(pdf).toContain(words)
  expect((await api.ask(ana, path)).body).toEqual(receipt.body)
  const again = await api.ask(ana, `${DAM_PATH}/billing/invoices/1/payment`, { method: 'POST' })
  expect(again.body).toMatchObject({ code: 'INVOICING_ALREADY_PAID' })
  // A part goes back and is owed again, by card; nobody but the operator gives it.
  const refund = { org: DAM, payment: payment?.['payment'], amount: '1.31', debt: 'stands', reason: 'rain' }
  const refunds = `/v1/operator/organisations/${DAM}/payments/${String(payment?.['payment'])}/refunds`
  const body = { reason: 'mine' }
  expect((await api.ask(ana, refunds, { method: 'POST', body })).status).toBe(401)
  const given = await call('billing.refund', OPERATOR_TOKEN, refund)
  expect(given.body).toMatchObject({ amount: '1.31', currency: 'EUR', state: 'succeeded', failure: null })
  expect(await items('billing.payments')).toMatchObject([
    { amount: '41.31', refunded: '1.31', refunds: [{ kind: 'refund', reason: 'rain', debt: 'stands' }] },
  ])
  expect(await items('billing.invoices')).toMatchObject([{ total: '41.31', paid: '40.00' }])
  const more = await api.ask(OPERATOR_TOKEN, refunds, {
    method: 'POST',
    body: { amount: '40.01', reason: 'rain' },
  })
  expect(more).toMatchObject({ status: 409, body: { code: 'INVOICING_REFUND_EXCEEDS' } })
})

test('an invoice is a PDF whose lines are those of the statement and sum to its total', async () => {
  const { call, ana, api, at } = await billingSite()
  const path = `${DAM_PATH}/billing/invoices/1`
  expect((await api.ask(ana, path)).body).toMatchObject({ code: 'INVOICING_NOT_FOUND' })
  at('2026-08-05T00:00:00Z')
  await call('billing.closeNow', OPERATOR_TOKEN, { org: DAM })
  const answered = await call('billing.invoice', ana, { org: DAM, number: '1' })
  expect(answered.headers.get('Content-Type')).toBe('application/pdf')
  const texts = pdfTexts(String(answered.body['text']))
  expect(texts).toEqual(expect.arrayContaining(['Invoice 1', '1 River Road', 'Month', JULY, '2026-08-05']))
  const valueOf = (text: string): string | undefined => texts[texts.indexOf(text) + 1]
  expect(valueOf('To')).toMatch(/\(dam\)$/)
  expect([valueOf('Sensor-days'), valueOf('Cellular data: home')]).toEqual(['EUR 41.00', 'EUR 0.31'])
  expect(valueOf('Total')).toBe('EUR 41.31')
  const { lines } = (await call('billing.statement', ana, { org: DAM, period: JULY })).body
  expect((lines as { amount: string }[]).map(({ amount }) => amount)).toEqual(['0.31', '41.00'])
  expect((await api.ask(ana, path)).body).toEqual(answered.body)
  // What it lists is usage.
  await call('organisations.govern', OPERATOR_TOKEN, { org: DAM, billing: 'external' })
  expect((await api.ask(ana, path)).body).toMatchObject({ code: 'API_NOT_FOUND' })
})

test('the operator keeps price books and terms, records transfers, and sends meter events once', async () => {
  const { call, ana, items, at, api, stripe } = await billingSite()
  const operator = OPERATOR_TOKEN
  expect((await call('billing.prices', operator)).body).toMatchObject({
    items: [{ number: 1, version: '2026-07' }],
  })
  expect((await call('billing.priceBook', operator, { number: '1' })).body).toMatchObject({ book: BOOK })
  const terms = { org: DAM, from: '2026-09', graceDays: 5, dueDays: 14 }
  await call('organisations.govern', operator, { org: DAM, billingZone: 'Europe/Berlin' })
  // One truth: days are counted at gateways in the zone of the directory, and months are made of them.
  expect((await call('billing.setTerms', operator, terms)).body).toMatchObject({ zone: 'Europe/Berlin' })
  at('2026-08-05T00:00:00Z')
  await call('billing.closeNow', operator, { org: DAM })
  const late = await api.ask(operator, `/v1/operator/organisations/${DAM}/billing-terms`, {
    method: 'PUT',
    body: { from: '2026-08', graceDays: 5, dueDays: 14 },
  })
  expect(late.body).toMatchObject({ code: 'INVOICING_TERMS_TOO_EARLY' })
  const transfer = { number: '1', amount: '41.31', reference: 'bank-77' }
  await call('billing.recordTransfer', operator, transfer)
  const [invoice] = (await call('billing.operatorInvoices', operator, { org: DAM })).body[
    'items'
  ] as unknown[]
  expect(invoice).toMatchObject({ paid: '41.31' })
  const twice = await api.ask(operator, '/v1/operator/invoices/1/payments', {
    method: 'POST',
    body: { amount: '1.00', reference: 'x' },
  })
  expect(twice.body).toMatchObject({ code: 'INVOICING_ALREADY_PAID' })
  // A transfer goes back by hand at the bank: it is booked.
  const [came] = await items('billing.payments')
  const refund = { org: DAM, payment: came?.['payment'], reason: 'kindness' }
  const given = await call('billing.refund', operator, refund)
  expect(given.body).toMatchObject({ amount: '41.31', debt: 'waived', state: 'succeeded' })
  const accounts = (await call('billing.accounts', operator)).body['items'] as {
    account: string
    amount: string
  }[]
  expect(accounts.find(({ account }) => account === `receivable:${DAM}`)?.amount).toBe('0.000000000000')
  const names = ['cash:transfer', 'revenue:concessions']
  expect(accounts.filter(({ account }) => names.includes(account)).map(({ amount }) => amount)).toEqual([
    '0.000000000000',
    '41.310000000000',
  ])
  const send = await call('billing.sendMeterEvents', operator, { org: DAM, period: JULY })
  expect(send.body).toEqual({ events: 3, fresh: 3, unsure: 0 })
  stripe.aDayLater()
  at('2026-08-07T00:00:00Z')
  const again = await call('billing.sendMeterEvents', operator, { org: DAM, period: JULY })
  expect(again.body).toEqual({ events: 3, fresh: 0, unsure: 0 })
  // What Stripe's meters add up to, and the export that could be sent by hand under the same identifiers.
  const sums = stripe.meterEvents.map((event) => `${event['event_name']} ${event['payload[value]']}`)
  expect(sums.sort()).toEqual([
    'headgate_cellular_bytes 3500000',
    'headgate_sensor_days 40',
    'headgate_sensor_days 9',
  ])
  const listed = await call('billing.sentMeterEvents', operator, { org: DAM, period: JULY })
  expect(listed.body['items']).toMatchObject([{ state: 'sent' }, { state: 'sent' }, { state: 'sent' }])
  const shown = await api.ask(ana, `${DAM_PATH}/billing/exports/stripe-meter-events?period=${JULY}`)
  expect(shown.body).toHaveLength(3)
  const open = await api.ask(operator, `/v1/operator/organisations/${DAM}/billing/meter-events`, {
    method: 'POST',
    body: { period: '2026-08' },
  })
  expect(open.body).toMatchObject({ code: 'INVOICING_MONTH_NOT_CLOSED' })
  expect(await items('billing.payments')).toMatchObject([{ provider: 'transfer' }])
  const events = await api.ask(ana, `${DAM_PATH}/billing/exports/cloud-events?period=${JULY}`)
  expect(events.headers.get('Content-Type')).toBe('application/cloudevents-batch+json')
  expect(events.body).toHaveLength(50)
})

test('a write with its key again is not done again, with another request it is refused', async () => {
  const { api, ana } = await billingSite()
  const ask = (kind: string) =>
    api.ask(ana, `${DAM_PATH}/billing/payment-methods`, { method: 'POST', body: { kind }, key: 'k-1' })
  const first = await ask('card')
  const again = await ask('card')
  expect(again.body).toEqual(first.body)
  expect(again.headers.get('Idempotency-Replayed')).toBe('true')
  expect(await ask('bank')).toMatchObject({ status: 409, body: { code: 'INVOICING_KEY_REUSED' } })
})
