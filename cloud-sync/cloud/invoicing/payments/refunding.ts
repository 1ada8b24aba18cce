import { minorUnit } from '../../billing/index.ts'
import type { BillingReader, BillingRow, BillingTransaction } from '../../storage/index.ts'
import { InvoicingError, refuse } from '../errors.ts'
import type { InvoicingWorld } from '../ports.ts'
import type { ProviderEvent, RefundState } from './provider.ts'

type Payment = BillingRow<'payment'>
type Refund = BillingRow<'refund'>

/** Refunds looked at in one turn; the next turn goes on. */
const REFUNDS_A_TURN_MAX = 100
/** A provider that does not answer is asked again after this, ms. */
const SILENT_RETRY_MS = 15 * 60_000
/** A bank takes days and tells; asked by ourselves too, in case that was lost. */
const PENDING_LOOK_MS = 6 * 3_600_000

/** What of a payment has not gone back and is not on its way, in its smallest coins. */
export async function refundable(
  read: Pick<BillingReader, 'find'>,
  { id, minor, state }: Payment,
): Promise<bigint> {
  if (state !== 'succeeded') return 0n
  const rows = await read.find('refund', { payment: id, state: ['pending', 'succeeded'] })
  // A bank that only asks has taken nothing.
  const gone = rows.filter((row) => row.kind === 'refund' || row.state === 'succeeded')
  return gone.reduce((left, row) => left - BigInt(row.minor), BigInt(minor))
}

/**
 * Writes a refund down before anybody is asked for it; the same name again is the same refund.
 * @param asked `minor`: smallest coins, undefined = all that is left
 * @throws InvoicingError INVOICING_NOT_FOUND, INVOICING_KEY_REUSED, INVOICING_REFUND_EXCEEDS
 */
export async function noteRefund(
  tx: BillingTransaction,
  asked: Pick<Refund, 'id' | 'org' | 'payment' | 'debt' | 'reason'> & {
    readonly minor: bigint | undefined
    readonly by: string
    readonly now: number
  },
): Promise<Refund> {
  const { id, org, debt, reason, by, now } = asked
  await tx.exclusively(`payment ${asked.payment}`)
  const known = await tx.get('refund', { id })
  if (known !== undefined) {
    const isSame =
      known.payment === asked.payment &&
      known.minor === String(asked.minor ?? known.minor) &&
      known.debt === debt
    if (!isSame) refuse('INVOICING_KEY_REUSED', `refund ${id} is another one`)
    return known
  }
  const payment = await tx.get('payment', { id: asked.payment, org })
  if (payment === undefined) return refuse('INVOICING_NOT_FOUND', `there is no payment ${asked.payment}`)
  const left = await refundable(tx, payment)
  const minor = asked.minor ?? left
  if (minor <= 0n || minor > left)
    refuse('INVOICING_REFUND_EXCEEDS', `payment ${payment.id}: that is more than is left of it`)
  const row = newRefund(payment, { id, kind: 'refund', minor, debt, reason, by, now })
  await tx.put('refund', row)
  return row
}

const newRefund = (
  payment: Payment,
  given: Pick<Refund, 'id' | 'kind' | 'debt' | 'reason'> & { minor: bigint; by: string; now: number },
): Refund => ({
  ...{ id: given.id, org: payment.org, payment: payment.id, invoice: payment.invoice, kind: given.kind },
  ...{ minor: given.minor.toString(), currency: payment.currency, minor_digits: payment.minor_digits },
  ...{ provider: payment.provider, reference: null, debt: given.debt, reason: given.reason },
  ...{ state: 'pending', failure: null, next_try_at: given.now, settled_at: null },
  ...{ created_at: given.now, created_by: given.by },
})

/**
 * Asks the provider for a refund that is written down, under its own name: however often, the money goes back once. A
 * provider that does not answer leaves it pending, for a later turn. Money of a transfer is sent back by hand.
 */
export async function giveBack(
  world: InvoicingWorld,
  { refund, now }: { refund: Refund; now: number },
): Promise<Refund> {
  if (refund.state !== 'pending') return refund
  const outcome = await asked(world, refund)
  const settled = await world.store.transaction((tx) => settleRefund(tx, refund.id, { outcome, now }))
  return settled ?? refund
}

/** Where a refund stands as far as we know. `silent`: nobody knows, and why. */
type Outcome = RefundState | { readonly state: 'silent'; readonly reference: null; readonly reason: string }

async function asked({ store, provider }: InvoicingWorld, refund: Refund): Promise<Outcome> {
  const { id, payment, minor, currency } = refund
  if (refund.provider === 'transfer') return { state: 'succeeded', reference: id }
  const reference = (await store.read.get('payment', { id: payment }))?.reference ?? ''
  try {
    return await provider.refund({ refund: id, payment, reference, minor: BigInt(minor), currency })
  } catch (error) {
    if (!(error instanceof InvoicingError)) throw error
    const state = error.code === 'INVOICING_PAYMENT_REFUSED' ? 'failed' : 'silent'
    return { state, reference: null, reason: error.message }
  }
}

/** Asks again for what is on its way. How many came to an end. @param now epoch ms */
export async function refundDue(
  world: InvoicingWorld,
  { now, signal, onError }: { now: number; signal?: AbortSignal; onError: (error: unknown) => void },
): Promise<number> {
  const { store, provider } = world
  const pending = await store.read.find(
    'refund',
    { kind: 'refund', state: 'pending', provider: [provider.name, 'transfer'] },
    { orderBy: ['next_try_at'], limit: REFUNDS_A_TURN_MAX },
  )
  let ended = 0
  for (const refund of pending) {
    if (signal?.aborted === true || (refund.next_try_at ?? Number.MAX_SAFE_INTEGER) > now) continue
    try {
      if ((await giveBack(world, { refund, now })).state !== 'pending') ended += 1
    } catch (error) {
      onError(error)
    }
  }
  return ended
}

/**
 * Notes what became of a refund and books it once, whoever tells it how often and in whatever order. One that has failed
 * stays so; where it was booked before, that is taken back.
 */
export async function settleRefund(
  tx: BillingTransaction,
  id: string,
  { outcome, now }: { outcome: Outcome; now: number },
): Promise<Refund | undefined> {
  const known = await tx.get('refund', { id })
  if (known === undefined) return undefined
  await tx.exclusively(`payment ${known.payment}`)
  const row = (await tx.get('refund', { id })) ?? known
  if (row.state === 'failed' || (row.state === 'succeeded' && outcome.state !== 'failed')) return row
  const settled: Refund = { ...row, reference: outcome.reference ?? row.reference, ...after(outcome, now) }
  await tx.put('refund', settled)
  if (settled.state === 'succeeded') await book(tx, settled, { isTakenBack: false, now })
  if (settled.state === 'failed' && row.state === 'succeeded')
    await book(tx, settled, { isTakenBack: true, now })
  return settled
}

type After = Pick<Refund, 'state' | 'failure' | 'next_try_at' | 'settled_at'>

function after(outcome: Outcome, now: number): After {
  switch (outcome.state) {
    case 'succeeded':
      return { state: 'succeeded', failure: null, next_try_at: null, settled_at: now }
    case 'failed':
      return { state: 'failed', failure: outcome.reason, next_try_at: null, settled_at: now }
    case 'pending':
      return { state: 'pending', failure: null, next_try_at: now + PENDING_LOOK_MS, settled_at: null }
    case 'silent': {
      const next = now + SILENT_RETRY_MS
      return { state: 'pending', failure: outcome.reason, next_try_at: next, settled_at: null }
    }
  }
}

/** The cash is gone; either the customer owes it again, or it is given to them. Its name in the books is its own. */
async function book(
  tx: BillingTransaction,
  refund: Refund,
  { isTakenBack, now }: { isTakenBack: boolean; now: number },
): Promise<void> {
  const { id, org, provider, debt } = refund
  const amount = BigInt(refund.minor) * minorUnit(refund.minor_digits) * (isTakenBack ? -1n : 1n)
  const entries = [
    { account: `cash:${provider}`, amount: -amount },
    { account: debt === 'waived' ? 'revenue:concessions' : `receivable:${org}`, amount },
  ]
  const name = isTakenBack ? `refund ${id} taken back` : `refund ${id}`
  const period = new Date(now).toISOString().slice(0, 7)
  await tx.post([{ id: name, org, period, corrects: null, kind: 'refund', entries }], now)
}

type Told = Extract<ProviderEvent, { readonly kind: 'refund' | 'dispute' }>

/**
 * Books what the provider tells of money that went back. What was refunded at the provider was given willingly, so the
 * debt is waived; what a bank took back is owed as before.
 * @throws InvoicingError INVOICING_PAYMENT_CONFLICT where it is not of what was paid here; nothing is booked
 */
export async function toldOfReturn(
  { provider }: InvoicingWorld,
  tx: BillingTransaction,
  { event, at }: { event: Told; at: number },
): Promise<void> {
  const { reference } = event
  const payment =
    reference === '' ? undefined : await tx.get('payment', { provider: provider.name, reference })
  // One of another system that has the same account.
  if (payment === undefined) return
  await tx.exclusively(`payment ${payment.id}`)
  const isDispute = event.kind === 'dispute'
  const id = isDispute ? event.dispute : (event.refund ?? event.name)
  const known = await tx.get('refund', { id })
  const isOther = known !== undefined && (known.payment !== payment.id || BigInt(known.minor) !== event.minor)
  if (isOther || payment.currency !== event.currency)
    refuse('INVOICING_PAYMENT_CONFLICT', `refund ${id} is another one at ${provider.name}`)
  const outcome = isDispute ? disputed(event) : event.state
  if (known === undefined) {
    await demandPaid(tx, payment, event)
    const { kind, minor } = event
    const told = { id, kind, minor, ...wordsOf(event, provider.name), by: provider.name, now: at }
    await tx.put('refund', newRefund(payment, told))
  }
  await settleRefund(tx, id, { outcome, now: at })
}

const wordsOf = (event: Told, provider: string): Pick<Refund, 'debt' | 'reason'> =>
  event.kind === 'dispute'
    ? { debt: 'stands', reason: event.reason }
    : { debt: 'waived', reason: `made at ${provider}` }

/** A customer may get a refund and ask the bank too: a dispute is bound by the payment alone. */
async function demandPaid(tx: BillingTransaction, payment: Payment, event: Told): Promise<void> {
  const isFailed = event.kind === 'refund' && event.state.state === 'failed'
  const paid = payment.state === 'succeeded' ? BigInt(payment.minor) : 0n
  const most = event.kind === 'dispute' || isFailed ? paid : await refundable(tx, payment)
  if (event.minor > most)
    refuse('INVOICING_PAYMENT_CONFLICT', `payment ${payment.id}: more went back than was paid here`)
}

function disputed({ dispute, state }: Told & { readonly kind: 'dispute' }): RefundState {
  switch (state) {
    case 'open':
      return { state: 'pending', reference: dispute }
    case 'withdrawn':
      return { state: 'succeeded', reference: dispute }
    case 'returned':
      return { state: 'failed', reference: dispute, reason: 'returned' }
  }
}
