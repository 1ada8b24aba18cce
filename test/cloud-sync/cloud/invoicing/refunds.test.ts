import { expect, onTestFinished } from 'vitest'
import { BILLING_WRITES } from '../../../../cloud-sync/cloud/invoicing/desk/index.ts'
import { newPayment } from '../../../../cloud-sync/cloud/invoicing/desk/payments.ts'
import { chargeDue } from '../../../../cloud-sync/cloud/invoicing/payments/charging.ts'
import { customerOf, keepMethod } from '../../../../cloud-sync/cloud/invoicing/payments/methods.ts'
import { noteRefund, refundDue } from '../../../../cloud-sync/cloud/invoicing/payments/refunding.ts'
import { outstanding } from '../../../../cloud-sync/cloud/invoicing/payments/settle.ts'
import { stripeProvider } from '../../../../cloud-sync/cloud/invoicing/payments/stripe.ts'
import { takeEvent } from '../../../../cloud-sync/cloud/invoicing/payments/webhook.ts'
import type { InvoicingWorld } from '../../../../cloud-sync/cloud/invoicing/ports.ts'
import { DAM, sensors } from '../../../support/billing-world.ts'
import { onBothBillingEngines, type TestInvoicing } from '../../../support/invoicing-world.ts'
import { startStripeDouble } from '../../../support/stripe-double.ts'

const onError = (error: unknown): void => {
  expect(error).toBeUndefined()
}
const UNIT = 10n ** 10n
const SILENT = ['refuse-connection', 'refuse-connection', 'refuse-connection'] as const

/** July's invoice of 9.00 was paid by card. */
async function paid(invoicing: TestInvoicing) {
  const stripe = await startStripeDouble()
  onTestFinished(() => stripe.stop())
  const { url: apiUrl, secretKey, webhookSecret } = stripe
  const { store } = invoicing
  const provider = stripeProvider({ apiUrl, secretKey, webhookSecret })
  const world: InvoicingWorld = { ...invoicing.world, provider }
  await invoicing.prices('1')
  invoicing.at('2026-07-20')
  invoicing.receive(...sensors('2026-07-01', 9))
  await customerOf(world, { id: DAM, name: 'The Dam Ltd' })
  const method = { token: 'pm_card_1', kind: 'card' as const, label: 'visa', last4: '4242', expires: null }
  await store.transaction((tx) => keepMethod(tx, { org: DAM, method, provider: 'stripe', id: 'm-1', at: 1 }))
  invoicing.at('2026-08-04')
  await invoicing.close()
  const [invoice] = await store.read.find('invoice', { org: DAM })
  if (invoice === undefined) throw new Error('nothing to pay')
  const made = newPayment({
    ...{ id: 'p-1', invoice, minor: 900n, provider: 'stripe', method: 'm-1', now: world.now() },
  })
  await store.transaction((tx) => tx.put('payment', made))
  await chargeDue(world, { now: world.now(), onError })
  const payment = await store.read.get('payment', { id: made.id })
  if (payment?.state !== 'succeeded') throw new Error('it was not paid')
  const organisation = await world.directory.organisation(DAM)
  if (organisation === undefined) throw new Error('there is no dam')
  const refund = (asked: object, key = 'k-1') => {
    const at = {
      world,
      books: invoicing.books,
      org: DAM,
      organisation,
      by: 'operator',
      key,
      now: world.now(),
    }
    const input = { org: DAM, payment: payment.id, reason: 'broken', ...asked }
    return BILLING_WRITES.refund.run(at, BILLING_WRITES.refund.input.parse(input))
  }
  return {
    ...{ stripe, provider, payment, refund },
    tell: (type: string, object: object) =>
      takeEvent(world, stripe.event(type, { currency: 'eur', payment_intent: payment.reference, ...object })),
    /** In cents; all accounts sum to zero. */
    books: async () => {
      const all = await store.read.balances('')
      expect([...all.values()].reduce((sum, amount) => sum + amount, 0n)).toBe(0n)
      const cents = (account: string): number => Number((all.get(account) ?? 0n) / UNIT)
      return {
        cash: cents('cash:stripe'),
        receivable: cents(`receivable:${DAM}`),
        revenue: cents('revenue:concessions'),
      }
    },
    open: async () => Number(await store.transaction((tx) => outstanding(tx, invoice))),
    due: () => refundDue(world, { now: world.now(), onError }),
    rows: () => store.read.find('refund', { org: DAM }, { orderBy: ['id'] }),
  }
}

onBothBillingEngines((engine) => {
  engine.with(
    'a refund is booked once, waived or owed again, and never above what was paid',
    async (world) => {
      const { stripe, refund, books, open, payment } = await paid(world)
      expect(await books()).toEqual({ cash: 900, receivable: 0, revenue: 0 })
      const first = await refund({ amount: '2.00' })
      expect(first).toMatchObject({ amount: '2.00', state: 'succeeded', debt: 'waived', reason: 'broken' })
      // The same key: the same refund.
      expect(await refund({ amount: '2.00' })).toEqual(first)
      await expect(refund({ amount: '3.00' })).rejects.toMatchObject({ code: 'INVOICING_KEY_REUSED' })
      expect(await books()).toEqual({ cash: 700, receivable: 0, revenue: 200 })
      expect(await open()).toBe(0)
      await expect(refund({ amount: '7.01' }, 'k-2')).rejects.toMatchObject({
        code: 'INVOICING_REFUND_EXCEEDS',
      })
      await expect(refund({ amount: '0.001' }, 'k-2')).rejects.toMatchObject({
        code: 'INVOICING_INPUT_INVALID',
      })
      await expect(refund({ payment: 'other' }, 'k-2')).rejects.toMatchObject({ code: 'INVOICING_NOT_FOUND' })
      // All that is left; the customer owes it again.
      expect(await refund({ debt: 'stands' }, 'k-3')).toMatchObject({ amount: '7.00', state: 'succeeded' })
      expect(await books()).toEqual({ cash: 0, receivable: 700, revenue: 200 })
      expect(await open()).toBe(700)
      await expect(refund({}, 'k-4')).rejects.toMatchObject({ code: 'INVOICING_REFUND_EXCEEDS' })
      expect(stripe.refunds.map((one) => [one['payment_intent'], one['amount']])).toEqual([
        [payment.reference, 200],
        [payment.reference, 700],
      ])
    },
  )

  engine.with(
    'money goes back once where the answer is lost, or this process dies before it',
    async (world) => {
      const { stripe, refund, books, due, payment, provider } = await paid(world)
      // Before it is asked, while it is asked, and after it was done.
      stripe.fail(...SILENT)
      expect(await refund({ amount: '1.00' })).toMatchObject({ state: 'pending' })
      expect(await books()).toMatchObject({ cash: 900 })
      // What is on its way is not left any more.
      await expect(refund({ amount: '8.01' }, 'k-2')).rejects.toMatchObject({
        code: 'INVOICING_REFUND_EXCEEDS',
      })
      world.at('2026-08-05')
      stripe.fail('lose-answer', 'lose-answer', 'lose-answer')
      expect(await due()).toBe(0)
      // Written down, and nobody was there any more to ask.
      const asked = { id: 'r-2', org: DAM, payment: payment.id, minor: 300n, debt: 'waived' as const }
      const { store } = world
      await store.transaction((tx) => noteRefund(tx, { ...asked, reason: 'x', by: 'operator', now: 1 }))
      stripe.aDayLater()
      world.at('2026-08-07')
      expect(await due()).toBe(2)
      expect(await due()).toBe(0)
      expect(stripe.refunds.map(({ amount }) => amount).sort()).toEqual([100, 300])
      expect(await books()).toEqual({ cash: 500, receivable: 0, revenue: 400 })
      // Done at Stripe, and this process died before it was noted; a day later no key is known.
      const again = { ...asked, id: 'r-3', minor: 200n }
      await store.transaction((tx) => noteRefund(tx, { ...again, reason: 'x', by: 'operator', now: 1 }))
      const reference = payment.reference ?? ''
      await provider.refund({ refund: 'r-3', payment: payment.id, reference, minor: 200n, currency: 'EUR' })
      stripe.aDayLater()
      expect(await due()).toBe(1)
      expect(stripe.refunds.map(({ amount }) => amount).sort()).toEqual([100, 200, 300])
      expect(await books()).toEqual({ cash: 300, receivable: 0, revenue: 600 })
    },
  )

  engine.with('what Stripe refuses is not booked, and a transfer needs nobody but us', async (world) => {
    const { stripe, provider, payment, refund, books, tell, due } = await paid(world)
    const { id, reference } = payment
    const asked = { refund: 'theirs', payment: id, reference: reference ?? '', currency: 'EUR' }
    await provider.refund({ ...asked, minor: 900n })
    // Refunded there already, which nobody has told us yet.
    const failed = { state: 'failed', failure: 'charge_already_refunded' }
    expect(await refund({})).toMatchObject(failed)
    expect(await books()).toEqual({ cash: 900, receivable: 0, revenue: 0 })
    await tell('refund.created', stripe.refunds[0] ?? {})
    expect(await books()).toEqual({ cash: 0, receivable: 0, revenue: 900 })
    // This process died between the two steps.
    const { store } = world
    const transfer = { ...payment, id: 'p-2', provider: 'transfer', reference: 'bank-1' }
    await store.transaction((tx) => tx.put('payment', transfer))
    const noted = { id: 'r-9', org: DAM, payment: 'p-2', minor: 100n, debt: 'waived' as const }
    await store.transaction((tx) => noteRefund(tx, { ...noted, reason: 'x', by: 'operator', now: 1 }))
    expect(await due()).toBe(1)
    expect(await due()).toBe(0)
    const cash = (await store.read.balances('cash:transfer')).get('cash:transfer')
    expect(cash).toBe(-100n * UNIT)
  })

  engine.with('a refund that Stripe tells of is booked once, whoever made it', async (world) => {
    const { stripe, refund, books, tell, rows } = await paid(world)
    stripe.outcome('processing')
    expect(await refund({ amount: '1.00', debt: 'stands' })).toMatchObject({ state: 'pending' })
    const [ours] = stripe.refunds
    for (const type of ['refund.created', 'refund.updated', 'charge.refund.updated'])
      await tell(type, { ...ours, status: 'succeeded' })
    expect(await books()).toEqual({ cash: 800, receivable: 100, revenue: 0 })
    const theirs = { id: 're_theirs', amount: 200, metadata: {}, status: 'succeeded' }
    await tell('refund.created', theirs)
    await tell('refund.updated', theirs)
    expect(await books()).toEqual({ cash: 600, receivable: 100, revenue: 200 })
    expect(await rows()).toMatchObject([{ debt: 'stands' }, { id: 're_theirs', debt: 'waived' }])
    // The bank does not take it: it is with us again.
    const failed = { ...theirs, status: 'failed', failure_reason: 'lost_or_stolen_card' }
    await tell('refund.failed', failed)
    await tell('refund.failed', failed)
    await tell('refund.updated', theirs)
    expect(await books()).toEqual({ cash: 800, receivable: 100, revenue: 0 })
    for (const other of [{ amount: 801 }, { amount: 100, currency: 'usd' }])
      await expect(tell('refund.created', { ...theirs, id: 're_9', ...other })).rejects.toMatchObject({
        code: 'INVOICING_PAYMENT_CONFLICT',
      })
    // Of another system with the same account.
    await tell('refund.created', { ...theirs, id: 're_10', payment_intent: 'pi_other' })
    expect(await rows()).toHaveLength(2)
  })

  engine.with('what a bank takes back is owed again, until the dispute is won', async (world) => {
    const { books, tell, open, refund, rows } = await paid(world)
    const dispute = { id: 'du_1', amount: 900, reason: 'fraudulent', status: 'needs_response' }
    await tell('charge.dispute.created', dispute)
    expect(await books()).toEqual({ cash: 900, receivable: 0, revenue: 0 })
    await tell('charge.dispute.funds_withdrawn', dispute)
    await tell('charge.dispute.funds_withdrawn', dispute)
    expect(await books()).toEqual({ cash: 0, receivable: 900, revenue: 0 })
    expect(await open()).toBe(900)
    await expect(refund({})).rejects.toMatchObject({ code: 'INVOICING_REFUND_EXCEEDS' })
    await tell('charge.dispute.closed', { ...dispute, status: 'won' })
    await tell('charge.dispute.funds_reinstated', dispute)
    expect(await books()).toEqual({ cash: 900, receivable: 0, revenue: 0 })
    expect(await open()).toBe(0)
    expect(await rows()).toMatchObject([{ kind: 'dispute', reason: 'fraudulent', state: 'failed' }])
    // Told in another order it comes to the same.
    const other = { ...dispute, id: 'du_2', amount: 100 }
    await tell('charge.dispute.funds_reinstated', other)
    await tell('charge.dispute.funds_withdrawn', other)
    expect(await books()).toEqual({ cash: 900, receivable: 0, revenue: 0 })
  })
})
