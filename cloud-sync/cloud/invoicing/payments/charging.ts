import type { BillingRow } from '../../storage/index.ts'
import { InvoicingError } from '../errors.ts'
import type { InvoicingWorld } from '../ports.ts'
import { settle } from './settle.ts'

type Payment = BillingRow<'payment'>

/** Payments looked at in one turn; the next turn goes on. */
const PAYMENTS_A_TURN_MAX = 100
/** A provider that does not answer is asked again after this, ms. */
const SILENT_RETRY_MS = 15 * 60_000

/** Tries every payment whose time has come. How many have succeeded. @param now epoch ms */
export async function chargeDue(
  world: InvoicingWorld,
  { now, signal, onError }: { now: number; signal?: AbortSignal; onError: (error: unknown) => void },
): Promise<number> {
  if (!world.provider.charges) return 0
  const pending = await world.store.read.find(
    'payment',
    { state: 'pending', provider: world.provider.name },
    { orderBy: ['next_try_at'], limit: PAYMENTS_A_TURN_MAX },
  )
  let succeeded = 0
  for (const payment of pending) {
    if (signal?.aborted === true || (payment.next_try_at ?? Number.MAX_SAFE_INTEGER) > now) continue
    try {
      const settled = await charge(world, { payment, now })
      if (settled?.state === 'succeeded') succeeded += 1
    } catch (error) {
      onError(error)
    }
  }
  return succeeded
}

/**
 * One try. What is stored before each step is enough to go on from after a crash: an intent that nobody confirmed moves
 * no money, and one that was confirmed says so when it is asked.
 */
export async function charge(
  world: InvoicingWorld,
  { payment, now }: { payment: Payment; now: number },
): Promise<Payment | undefined> {
  const { store, provider } = world
  const begun = await begin(world, payment, now)
  if (begun === undefined) return undefined
  const { method, customer } = begun
  try {
    const { minor: owed, minor_digits: digits } = payment
    const fault = provider.faultOf({ minor: BigInt(owed), currency: payment.currency, digits })
    if (fault !== undefined)
      return await settled(world, payment, { state: 'failed', reference: null, reason: fault }, now)
    const { id, org, minor, currency, invoice } = payment
    const attempt = begun.attempt
    const description = `Invoice ${invoice}`
    const reference =
      payment.reference ??
      (await provider.prepare({
        payment: id,
        org,
        customer,
        minor: BigInt(minor),
        currency,
        description,
        attempt,
      }))
    if (payment.reference === null) await noteReference(world, id, reference)
    const state = await provider.confirm({ payment: id, reference, method, attempt })
    return await settled(world, payment, state, now)
  } catch (error) {
    if (!(error instanceof InvoicingError)) throw error
    if (error.code === 'INVOICING_PAYMENT_REFUSED')
      return settled(world, payment, { state: 'failed', reference: null, reason: error.message }, now)
    // It is not known what was done: the same payment is asked for again, never another one.
    await store.transaction(async (tx) => {
      await tx.exclusively(`payment ${payment.id}`)
      const row = await tx.get('payment', { id: payment.id })
      if (row?.state === 'pending') await tx.put('payment', { ...row, next_try_at: now + SILENT_RETRY_MS })
    })
    throw error
  }
}

/** Counts the try before it is made; undefined where it is not to be made any more. */
async function begin(
  { store, provider, directory, now: clock }: InvoicingWorld,
  { id }: Payment,
  now: number,
): Promise<{ method: string; customer: string; attempt: number } | undefined> {
  const row = await store.read.get('payment', { id })
  if (row === undefined || row.state !== 'pending') return undefined
  const [method] = await store.read.find(
    'payment_method',
    { id: row.method ?? '', state: 'active' },
    { limit: 1 },
  )
  const customer = await store.read.get('provider_customer', { provider: provider.name, org: row.org })
  if (method === undefined || customer === undefined) {
    const organisation = await directory.organisation(row.org)
    const reason = organisation === undefined ? 'no_such_customer' : 'no_payment_method'
    await store.transaction((tx) =>
      tx.put('payment', { ...row, state: 'failed', reason, next_try_at: null, settled_at: clock() }),
    )
    return undefined
  }
  const attempt = row.tries + 1
  await store.transaction(async (tx) => {
    await tx.exclusively(`payment ${id}`)
    const there = await tx.get('payment', { id })
    // Should this process die, another try follows after a while.
    if (there?.state === 'pending')
      await tx.put('payment', { ...there, tries: attempt, next_try_at: now + SILENT_RETRY_MS })
  })
  return { method: method.token, customer: customer.customer, attempt }
}

const noteReference = (world: InvoicingWorld, id: string, reference: string): Promise<void> =>
  world.store.transaction(async (tx) => {
    await tx.exclusively(`payment ${id}`)
    const row = await tx.get('payment', { id })
    if (row?.reference === null) await tx.put('payment', { ...row, reference })
  })

const settled = (
  world: InvoicingWorld,
  { id }: Payment,
  state: Parameters<typeof settle>[2]['charge'],
  now: number,
): Promise<Payment | undefined> => world.store.transaction((tx) => settle(tx, id, { charge: state, now }))
