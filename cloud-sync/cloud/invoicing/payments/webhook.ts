import { createHash } from 'node:crypto'
import { type BillingTransaction, isDuplicate } from '../../storage/index.ts'
import { refuse } from '../errors.ts'
import type { InvoicingWorld } from '../ports.ts'
import { keepMethod } from './methods.ts'
import type { ProviderEvent } from './provider.ts'
import { toldOfReturn } from './refunding.ts'
import { settle } from './settle.ts'

/**
 * Takes what a provider tells by itself, each event once. @throws InvoicingError INVOICING_WEBHOOK_REFUSED for what is
 * not signed by it, INVOICING_PAYMENT_CONFLICT where it tells another amount than ours
 */
export async function takeEvent(
  world: InvoicingWorld,
  { body, signature }: { body: Uint8Array; signature: string },
): Promise<'taken' | 'repeated'> {
  const { provider, store, now } = world
  const event = await provider.eventIn(body, signature)
  const sha256 = createHash('sha256').update(body).digest('hex')
  const at = now()
  try {
    await store.transaction(async (tx) => {
      const head = { provider: provider.name, id: event.id, kind: event.kind, sha256, received_at: at }
      await tx.add('provider_event', head)
      await apply(world, tx, { event, at })
    })
    return 'taken'
  } catch (error) {
    if (!isDuplicate(error)) throw error
    return 'repeated'
  }
}

async function apply(
  world: InvoicingWorld,
  tx: BillingTransaction,
  { event, at }: { event: ProviderEvent; at: number },
): Promise<void> {
  switch (event.kind) {
    case 'charge':
      return charged(world, tx, { event, at })
    case 'method': {
      const { provider, newId } = world
      const customer = await tx.get('provider_customer', { provider: provider.name, org: event.org })
      const { org, method } = event
      if (customer !== undefined)
        await keepMethod(tx, { org, method, provider: provider.name, id: newId(), at })
      return
    }
    case 'method-removed': {
      const method = await tx.get('payment_method', { provider: world.provider.name, token: event.token })
      if (method !== undefined) await tx.put('payment_method', { ...method, state: 'removed', is_default: 0 })
      return
    }
    case 'refund':
    case 'dispute':
      return toldOfReturn(world, tx, { event, at })
    // Nothing is booked of it.
    case 'other':
  }
}

async function charged(
  { provider }: InvoicingWorld,
  tx: BillingTransaction,
  { event, at }: { event: ProviderEvent & { readonly kind: 'charge' }; at: number },
): Promise<void> {
  const payment = await tx.get('payment', { id: event.payment, provider: provider.name })
  // One of another system that has the same account.
  if (payment === undefined) return
  if (BigInt(payment.minor) !== event.minor || payment.currency !== event.currency)
    refuse('INVOICING_PAYMENT_CONFLICT', `payment ${payment.id} is of another amount at ${provider.name}`)
  // A decline that comes late says nothing of the try that is on its way.
  if (event.charge.state === 'failed' && payment.state !== 'pending') return
  await settle(tx, payment.id, { charge: event.charge, now: at })
}
