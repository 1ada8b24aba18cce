import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { chargeDue } from '../../../../cloud-sync/cloud/invoicing/payments/charging.ts'
import { customerOf, keepMethod } from '../../../../cloud-sync/cloud/invoicing/payments/methods.ts'
import { stripeProvider } from '../../../../cloud-sync/cloud/invoicing/payments/stripe.ts'
import { takeEvent } from '../../../../cloud-sync/cloud/invoicing/payments/webhook.ts'
import type { BillingRow } from '../../../../cloud-sync/cloud/storage/index.ts'
import { DAM, sensors } from '../../../support/billing-world.ts'
import { openTestInvoicing, type TestInvoicing } from '../../../support/invoicing-world.ts'
import { type Fault, startStripeDouble, type StripeDouble } from '../../../support/stripe-double.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'

interface Paying {
  readonly stripe: StripeDouble
  readonly invoicing: TestInvoicing
  /** Every payment that is due, once. */
  readonly charge: () => Promise<{ readonly succeeded: number; readonly failures: readonly string[] }>
  /** The one payment there is. */
  readonly payment: () => Promise<BillingRow<'payment'>>
  /** What the customer owes by the books, in cents. */
  readonly owed: () => Promise<bigint>
}

const CENT = 10n ** 10n

/** July is closed, its invoice of 9.00 is to be paid by card. */
async function paying(): Promise<Paying> {
  const stripe = await startStripeDouble()
  onTestFinished(() => stripe.stop())
  const { url: apiUrl, secretKey, webhookSecret } = stripe
  const provider = stripeProvider({ apiUrl, secretKey, webhookSecret })
  const path = join(temporaryFolder(), 'billing.db')
  const invoicing = await openTestInvoicing({ dialect: 'sqlite', path }, { provider })
  onTestFinished(() => invoicing.end())
  const { store, world } = invoicing
  await invoicing.prices('1')
  invoicing.at('2026-07-20')
  invoicing.receive(...sensors('2026-07-01', 9))
  await customerOf(world, { id: DAM, name: 'The Dam Ltd' })
  const method = {
    token: 'pm_card_1',
    kind: 'card' as const,
    label: 'visa',
    last4: '4242',
    expires: '2031-07',
  }
  await store.transaction((tx) => keepMethod(tx, { org: DAM, method, provider: 'stripe', id: 'm-1', at: 1 }))
  invoicing.at('2026-08-04')
  await invoicing.close()
  return {
    stripe,
    invoicing,
    async charge() {
      const failures: string[] = []
      const onError = (error: unknown): void => void failures.push((error as { code: string }).code)
      return { succeeded: await chargeDue(world, { now: world.now(), onError }), failures }
    },
    async payment() {
      const [payment] = await store.read.find('payment', { org: DAM })
      if (payment === undefined) throw new Error('there is no payment')
      return payment
    },
    owed: async () =>
      ((await store.read.balances(`receivable:${DAM}`)).get(`receivable:${DAM}`) ?? 0n) / CENT,
  }
}

test('an invoice is charged once and booked once, however often it is looked at', async () => {
  const { stripe, invoicing, charge, payment, owed } = await paying()
  expect(await owed()).toBe(900n)
  expect(await charge()).toEqual({ succeeded: 1, failures: [] })
  expect(await charge()).toEqual({ succeeded: 0, failures: [] })
  const { id, state } = await payment()
  expect(state).toBe('succeeded')
  expect(stripe.moved).toEqual(new Map([[id, 900]]))
  expect(await owed()).toBe(0n)
  expect(await invoicing.store.read.find('receipt', {})).toMatchObject([{ number: 1, payment: id }])
})

const faults: readonly (readonly [string, readonly Fault[]])[] = [
  ['the connection is refused', ['refuse-connection', 'refuse-connection', 'refuse-connection']],
  ['the answer to the making is lost', ['lose-answer']],
  ['the answer to the making is lost each time', ['lose-answer', 'lose-answer', 'lose-answer']],
  ['the making is said to have failed', ['error-500']],
]
test.for(faults)('money moves once where %s', async ([, some]) => {
  const { stripe, invoicing, charge, payment, owed } = await paying()
  stripe.fail(...some)
  await charge()
  for (const day of ['05', '06', '07', '08']) {
    invoicing.at(`2026-08-${day}`)
    await charge()
  }
  const { id, state } = await payment()
  expect(state).toBe('succeeded')
  expect(stripe.moved).toEqual(new Map([[id, 900]]))
  expect(await owed()).toBe(0n)
})

test('money moves once where the answer to each step in turn is lost', async () => {
  for (let step = 0; step < 3; step += 1) {
    const { stripe, invoicing, charge, payment } = await paying()
    const before = stripe.requests.length
    // Three times, so that the repetitions of the SDK are lost too.
    const passing: Fault[] = ['lose-answer', 'lose-answer', 'lose-answer']
    let asked = before
    const original = stripe.fail
    const failing = async (): Promise<void> => {
      while (asked < before + step) {
        await new Promise((resolve) => setTimeout(resolve, 1))
        asked = stripe.requests.length
      }
      original(...passing)
    }
    await Promise.all([charge(), failing()])
    for (const day of ['05', '06', '07']) {
      invoicing.at(`2026-08-${day}`)
      await charge()
    }
    const { id, state } = await payment()
    expect([step, state]).toEqual([step, 'succeeded'])
    expect(stripe.moved).toEqual(new Map([[id, 900]]))
  }
})

test('a declined card is tried again on later days and then given up', async () => {
  const { stripe, invoicing, charge, payment, owed } = await paying()
  stripe.outcome('card_declined')
  await charge()
  expect(await payment()).toMatchObject({ state: 'pending', reason: 'insufficient_funds', tries: 1 })
  for (const day of ['04', '05', '09', '15', '25', '26']) {
    invoicing.at(`2026-08-${day}T12:00:00`)
    await charge()
  }
  expect(await payment()).toMatchObject({ state: 'failed', tries: 5 })
  expect(await owed()).toBe(900n)
  expect(await invoicing.store.read.find('receipt', {})).toEqual([])
})

test('a bank takes its time: the webhook books it, once, whoever comes first', async () => {
  const { stripe, invoicing, charge, payment, owed } = await paying()
  stripe.outcome('processing')
  await charge()
  const { id, state } = await payment()
  expect(state).toBe('pending')
  const intent = { ...stripe.intentOf(id), status: 'succeeded' }
  const event = stripe.event('payment_intent.succeeded', intent, { id: 'evt_x' })
  const other = stripe.event('payment_intent.succeeded', intent, { id: 'evt_y' })
  expect(await takeEvent(invoicing.world, event)).toBe('taken')
  expect(await takeEvent(invoicing.world, event)).toBe('repeated')
  expect(await takeEvent(invoicing.world, other)).toBe('taken')
  expect(await takeEvent(invoicing.world, stripe.event('payment_intent.payment_failed', intent))).toBe(
    'taken',
  )
  expect((await payment()).state).toBe('succeeded')
  expect(await owed()).toBe(0n)
  expect(await invoicing.store.read.find('receipt', {})).toHaveLength(1)
})

test('a webhook that is forged, changed, or played again later is refused', async () => {
  const { stripe, invoicing, charge, payment } = await paying()
  stripe.outcome('processing')
  await charge()
  const intent = { ...stripe.intentOf((await payment()).id), status: 'succeeded' }
  const good = stripe.event('payment_intent.succeeded', intent)
  const changed = Buffer.from(good.body.toString().replace('"amount":900', '"amount":901'))
  const refused = [
    stripe.event('payment_intent.succeeded', intent, { secret: 'whsec_other' }),
    stripe.event('payment_intent.succeeded', intent, { secondsAgo: 3_600 }),
    { body: changed, signature: good.signature },
    { body: good.body, signature: '' },
    { body: good.body, signature: good.signature.replace('v1=', 'v0=') },
  ]
  for (const event of refused) {
    await expect(takeEvent(invoicing.world, event)).rejects.toMatchObject({
      code: 'INVOICING_WEBHOOK_REFUSED',
    })
  }
  // Rightly signed, and yet not what was asked for.
  const other = stripe.event('payment_intent.succeeded', { ...intent, amount: 1 })
  await expect(takeEvent(invoicing.world, other)).rejects.toMatchObject({
    code: 'INVOICING_PAYMENT_CONFLICT',
  })
  expect((await payment()).state).toBe('pending')
  expect(await invoicing.store.read.find('provider_event', {})).toEqual([])
})

const EVENT = {
  event_name: 'headgate_sensor_days',
  identifier: 'GW-1:e:7:sensor.active_day',
  timestamp: 1_785_000_000,
  payload: { stripe_customer_id: 'cus_1', value: '3' },
}

test('I23 a meter event that is there already counts as delivered', async () => {
  const { stripe, invoicing } = await paying()
  const { provider } = invoicing.world
  expect(await provider.meter(EVENT, 1)).toBe(true)
  // The key is remembered for a day: the same request has the same answer.
  expect(await provider.meter(EVENT, 1)).toBe(true)
  // Another try is known by the identifier: 400, and it was delivered all the same.
  expect(await provider.meter(EVENT, 2)).toBe(false)
  expect(stripe.meterEvents.map(({ identifier }) => identifier)).toEqual([EVENT.identifier])
})

test('I23 the same key with another body is a conflict, and nothing is delivered', async () => {
  const { stripe, invoicing } = await paying()
  const { provider } = invoicing.world
  await provider.meter(EVENT, 1)
  const other = { ...EVENT, payload: { ...EVENT.payload, value: '4' } }
  await expect(provider.meter(other, 1)).rejects.toMatchObject({ code: 'INVOICING_PAYMENT_CONFLICT' })
  expect(stripe.meterEvents).toMatchObject([{ 'payload[value]': '3' }])
})

test('a credit note is taken off the next charge', async () => {
  const { stripe, invoicing, charge, payment } = await paying()
  await charge()
  const [first] = [...stripe.moved.values()]
  expect(first).toBe(900)
  // A tenth sensor on 1 July: ten at 0.80 instead of nine at 1.00.
  invoicing.receive(...sensors('2026-07-01', 10).slice(9))
  invoicing.at('2026-09-04')
  await invoicing.close()
  invoicing.receive(...sensors('2026-09-01', 2))
  invoicing.at('2026-10-04')
  await invoicing.close()
  await charge()
  expect([...stripe.moved.values()]).toEqual([900, 100])
  expect((await payment()).state).toBe('succeeded')
})
