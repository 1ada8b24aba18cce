import type { BillingRow, BillingTransaction } from '../../storage/index.ts'
import type { InvoicingWorld } from '../ports.ts'
import type { MethodDetails } from './provider.ts'

type Method = BillingRow<'payment_method'>

/** Keeps a way to pay, once; the newest is the one that is used from now on (S0.29). */
export async function keepMethod(
  tx: BillingTransaction,
  given: {
    readonly org: string
    readonly method: MethodDetails
    readonly provider: string
    readonly id: string
    readonly at: number
    readonly by?: string
  },
): Promise<Method> {
  const { org, method, provider, id, at, by = provider } = given
  await tx.exclusively(`methods of ${org}`)
  const { token, kind, label, last4, expires } = method
  const known = await tx.get('payment_method', { provider, token })
  if (known !== undefined) return known
  const made: Method = {
    ...{ id, org, kind, provider, token, label, last4, expires },
    ...{ state: 'active', is_default: 1, created_at: at, created_by: by },
  }
  await withoutDefault(tx, org)
  await tx.put('payment_method', made)
  return made
}

/** Only one is the one that is used. */
export async function withoutDefault(tx: BillingTransaction, org: string): Promise<void> {
  for (const other of await tx.find('payment_method', { org, is_default: 1 }))
    await tx.put('payment_method', { ...other, is_default: 0 })
}

/** The provider's customer for an organisation, made where there is none. */
export async function customerOf(world: InvoicingWorld, org: { id: string; name: string }): Promise<string> {
  const { provider, store, now } = world
  const known = await store.read.get('provider_customer', { provider: provider.name, org: org.id })
  if (known !== undefined) return known.customer
  const customer = await provider.customerFor(org)
  await store.transaction(async (tx) => {
    await tx.exclusively(`customer ${org.id}`)
    const there = await tx.get('provider_customer', { provider: provider.name, org: org.id })
    if (there === undefined)
      await tx.add('provider_customer', { provider: provider.name, org: org.id, customer, made_at: now() })
  })
  return (
    (await store.read.get('provider_customer', { provider: provider.name, org: org.id }))?.customer ??
    customer
  )
}
