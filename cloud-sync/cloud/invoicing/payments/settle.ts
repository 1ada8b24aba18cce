import { minorUnit } from '../../billing/index.ts'
import type { BillingRow, BillingTransaction } from '../../storage/index.ts'
import type { ChargeState } from './provider.ts'

type Payment = BillingRow<'payment'>

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** A card that was declined is tried again after so many days; after the last one it is given up. */
const DECLINED_RETRY_DAYS = [1, 3, 5, 7] as const
/** A bank takes days and tells; asked by ourselves too, in case that was lost. */
const PENDING_LOOK_MS = 6 * HOUR_MS

/**
 * Notes what became of a charge, and books it once: a payment that has succeeded stays so, whoever tells it how often and
 * in whatever order.
 */
export async function settle(
  tx: BillingTransaction,
  id: string,
  { charge, now }: { charge: ChargeState; now: number },
): Promise<Payment | undefined> {
  await tx.exclusively(`payment ${id}`)
  const payment = await tx.get('payment', { id })
  if (payment === undefined || payment.state === 'succeeded') return payment
  const { reference } = charge
  const settled = {
    ...payment,
    reference: reference ?? payment.reference,
    ...outcomeOf(payment, charge, now),
  }
  await tx.put('payment', settled)
  if (settled.state === 'succeeded') await bookPayment(tx, settled, now)
  return settled
}

type Outcome = Pick<Payment, 'state' | 'reason' | 'next_try_at' | 'settled_at'>

function outcomeOf({ tries }: Payment, charge: ChargeState, now: number): Outcome {
  switch (charge.state) {
    case 'succeeded':
      return { state: 'succeeded', reason: null, next_try_at: null, settled_at: now }
    case 'pending':
      return { state: 'pending', reason: null, next_try_at: now + PENDING_LOOK_MS, settled_at: null }
    case 'failed': {
      const days = DECLINED_RETRY_DAYS[tries - 1]
      return days === undefined
        ? { state: 'failed', reason: charge.reason, next_try_at: null, settled_at: now }
        : { state: 'pending', reason: charge.reason, next_try_at: now + days * DAY_MS, settled_at: null }
    }
  }
}

/** The customer owes less by it, and there is a receipt. Its name in the books is its own, so it is there once. */
export async function bookPayment(tx: BillingTransaction, payment: Payment, now: number): Promise<void> {
  const { id, org, provider } = payment
  const amount = BigInt(payment.minor) * minorUnit(payment.minor_digits)
  const entries = [
    { account: `cash:${provider}`, amount },
    { account: `receivable:${org}`, amount: -amount },
  ]
  const period = new Date(now).toISOString().slice(0, 7)
  await tx.post([{ id: `payment ${id}`, org, period, corrects: null, kind: 'payment', entries }], now)
  await tx.exclusively('receipt numbers')
  const [last] = await tx.find('receipt', {}, { orderBy: ['number'], descending: true, limit: 1 })
  await tx.add('receipt', { number: (last?.number ?? 0) + 1, payment: id, org, at: now })
}

/** What of an invoice is neither paid nor on its way, in its smallest coins, after credit notes of the organisation. */
export async function outstanding(
  tx: Pick<BillingTransaction, 'find' | 'balances'>,
  invoice: Pick<BillingRow<'invoice'>, 'number' | 'org' | 'total_minor' | 'minor_digits'>,
): Promise<bigint> {
  const { number, org } = invoice
  const of = await tx.find('payment', { invoice: number, state: ['pending', 'succeeded'] })
  const owedAgain = await returnedOf(tx, number)
  const rest = of.reduce((left, { minor }) => left - BigInt(minor), BigInt(invoice.total_minor) + owedAgain)
  const pending = await tx.find('payment', { org, state: 'pending' })
  const owed = (await tx.balances(`receivable:${org}`)).get(`receivable:${org}`) ?? 0n
  const open = pending.reduce(
    (left, { minor }) => left - BigInt(minor),
    owed / minorUnit(invoice.minor_digits),
  )
  return rest < open ? rest : open
}

/** What of an invoice's payments went back and is owed as before, in its smallest coins. */
export async function returnedOf(read: Pick<BillingTransaction, 'find'>, invoice: number): Promise<bigint> {
  const rows = await read.find('refund', { invoice, state: 'succeeded', debt: 'stands' })
  return rows.reduce((sum, { minor }) => sum + BigInt(minor), 0n)
}
