import { z } from 'zod'
import { OrgId } from '../../../contract/index.ts'
import { minorText } from '../../billing/index.ts'
import type { BillingRow } from '../../storage/index.ts'
import { refuse } from '../errors.ts'
import { charge } from '../payments/charging.ts'
import { customerOf, keepMethod, withoutDefault } from '../payments/methods.ts'
import { outstanding, returnedOf } from '../payments/settle.ts'
import { invoicePdf } from '../invoice.ts'
import { receiptPdf } from '../receipt.ts'
import { bookedStatement } from '../statements.ts'
import { type AtDesk, matter } from './desk.ts'
import { refundShown } from './shown.ts'

/** As ids of payments and methods are. */
export const Name = z.string().regex(/^[A-Za-z0-9_-]{1,128}$/, 'letters, digits, hyphens and underscores')
const OfMethod = z.strictObject({ org: OrgId, method: Name })
/** Stands in an address. */
export const InAddress = z
  .string()
  .regex(/^[1-9]\d{0,8}$/, 'a number from 1')
  .transform(Number)

const ROWS_MAX = 10_000

/** How it pays: kind, brand or bank, the last four digits, and nothing more (S0.29). */
export const methods = matter({
  right: 'billing.read',
  isUsage: false,
  input: z.strictObject({ org: OrgId }),
  run: async ({ world, org }) => {
    const rows = await world.store.read.find(
      'payment_method',
      { org, state: 'active' },
      { orderBy: ['created_at'] },
    )
    return rows.map(methodShown)
  },
})

const methodShown = ({
  id,
  kind,
  label,
  last4,
  expires,
  is_default,
  created_at,
}: BillingRow<'payment_method'>) => ({
  ...{ method: id, kind, label, last4, expires },
  ...{ isDefault: is_default === 1, createdAt: created_at },
})

/** "Update": the browser finishes it with the payment provider; what is typed there never comes here. */
export const beginMethod = matter({
  right: 'billing.manage',
  isUsage: false,
  input: z.strictObject({ org: OrgId, kind: z.enum(['card', 'bank']) }),
  async run({ world, org, organisation, key, by }, { kind }) {
    const customer = await customerOf(world, organisation)
    const setup = await world.provider.beginMethod({ customer, org, kind, key: `${by}-${key}` })
    return { provider: world.provider.name, ...setup }
  },
})

/** "Save": from now on this is how it pays. */
export const saveMethod = matter({
  right: 'billing.manage',
  isUsage: false,
  input: z.strictObject({ org: OrgId, setup: Name }),
  async run({ world, org, by, now }, { setup }) {
    const method = await world.provider.finishedMethod({ setup, org })
    if (method === undefined) return refuse('INVOICING_METHOD_UNFINISHED', `${setup} is not finished`)
    const provider = world.provider.name
    const given = { org, method, provider, id: world.newId(), at: now, by }
    return methodShown(await world.store.transaction((tx) => keepMethod(tx, given)))
  },
})

export const chooseMethod = matter({
  right: 'billing.manage',
  isUsage: false,
  input: OfMethod,
  run: ({ world, org }, { method: id }) =>
    world.store.transaction(async (tx) => {
      await tx.exclusively(`methods of ${org}`)
      const method = await tx.get('payment_method', { id, org, state: 'active' })
      if (method === undefined) return refuse('INVOICING_NOT_FOUND', `there is no payment method ${id}`)
      await withoutDefault(tx, org)
      await tx.put('payment_method', { ...method, is_default: 1 })
      return methodShown({ ...method, is_default: 1 })
    }),
})

export const removeMethod = matter({
  right: 'billing.manage',
  isUsage: false,
  input: OfMethod,
  async run({ world, org }, { method: id }) {
    const method = await world.store.read.get('payment_method', { id, org, state: 'active' })
    if (method === undefined) return refuse('INVOICING_NOT_FOUND', `there is no payment method ${id}`)
    await world.provider.forgetMethod(method.token)
    await world.store.transaction((tx) =>
      tx.put('payment_method', { ...method, state: 'removed', is_default: 0 }),
    )
    return null
  },
})

/** Numbers and totals; what they are made of is the statement. */
export const invoices = matter({
  right: 'billing.read',
  isUsage: true,
  input: z.strictObject({ org: OrgId }),
  async run({ world, org }) {
    const { read } = world.store
    const rows = await read.find('invoice', { org }, { orderBy: ['number'], limit: ROWS_MAX })
    return Promise.all(rows.map(async (row) => invoiceShown(row, await paidOf(world, row.number))))
  },
})

/** The invoice itself, as a PDF; the same bytes each time. What it says is usage: hidden as the statement is. */
export const invoice = matter({
  right: 'billing.read',
  isUsage: true,
  input: z.strictObject({ org: OrgId, number: InAddress }),
  async run({ world, org, organisation }, { number }) {
    const { read } = world.store
    const row = await read.get('invoice', { number, org })
    const statement = row === undefined ? undefined : await bookedStatement(read, org, row.period)
    if (row === undefined || statement === undefined)
      return refuse('INVOICING_NOT_FOUND', `there is no invoice ${number}`)
    return invoicePdf({ invoice: row, statement, organisation, issuer: world.issuer })
  },
})

/** What is paid of an invoice; what went back and is owed as before is not. */
export async function paidOf({ store }: AtDesk['world'], invoice: number): Promise<bigint> {
  const rows = await store.read.find('payment', { invoice, state: 'succeeded' })
  const owedAgain = await returnedOf(store.read, invoice)
  return rows.reduce((sum, { minor }) => sum + BigInt(minor), -owedAgain)
}

export const invoiceShown = (row: BillingRow<'invoice'>, paid: bigint) => ({
  number: row.number,
  organisation: row.org,
  period: row.period,
  currency: row.currency,
  total: minorText(BigInt(row.total_minor), row.minor_digits),
  paid: minorText(paid, row.minor_digits),
  issuedAt: row.issued_at,
  dueAt: row.due_at,
})

/** S0.36: the payment history, with what went back. */
export const payments = matter({
  right: 'billing.read',
  isUsage: false,
  input: z.strictObject({ org: OrgId }),
  async run({ world, org }) {
    const rows = await world.store.read.find(
      'payment',
      { org },
      { orderBy: ['created_at', 'id'], limit: ROWS_MAX },
    )
    const refunds = await world.store.read.find('refund', { org }, { orderBy: ['created_at', 'id'] })
    const of = new Map<string, BillingRow<'refund'>[]>()
    for (const row of refunds) of.set(row.payment, [...(of.get(row.payment) ?? []), row])
    return rows.map((row) => paymentShown(row, of.get(row.id)))
  },
})

export const paymentShown = (row: BillingRow<'payment'>, refunds: readonly BillingRow<'refund'>[] = []) => ({
  payment: row.id,
  invoice: row.invoice,
  amount: minorText(BigInt(row.minor), row.minor_digits),
  currency: row.currency,
  provider: row.provider,
  state: row.state,
  reason: row.reason,
  createdAt: row.created_at,
  settledAt: row.settled_at,
  refunded: minorText(
    refunds.reduce((sum, { state, minor }) => (state === 'succeeded' ? sum + BigInt(minor) : sum), 0n),
    row.minor_digits,
  ),
  refunds: refunds.map(refundShown),
})

/** Pays what is left of an invoice now, by the chosen method. */
export const pay = matter({
  right: 'billing.manage',
  isUsage: false,
  input: z.strictObject({ org: OrgId, number: InAddress }),
  async run({ world, org, now }, { number }) {
    const { store, provider } = world
    if (!provider.charges) return refuse('INVOICING_NO_PROVIDER', 'invoices are paid by transfer')
    const id = world.newId()
    const payment = await store.transaction(async (tx) => {
      await tx.exclusively(`organisation ${org}`)
      const invoice = await tx.get('invoice', { number, org })
      if (invoice === undefined) return refuse('INVOICING_NOT_FOUND', `there is no invoice ${number}`)
      const method = await tx.get('payment_method', { org, state: 'active', is_default: 1 })
      if (method === undefined) return refuse('INVOICING_METHOD_UNFINISHED', 'there is no payment method')
      const minor = await outstanding(tx, invoice)
      if (minor <= 0n) return refuse('INVOICING_ALREADY_PAID', `nothing is left of invoice ${number}`)
      const row = newPayment({ id, invoice, minor, provider: provider.name, method: method.id, now })
      await tx.put('payment', row)
      return row
    })
    return paymentShown((await charge(world, { payment, now })) ?? payment)
  },
})

export const newPayment = (given: {
  readonly id: string
  readonly invoice: BillingRow<'invoice'>
  readonly minor: bigint
  readonly provider: string
  readonly method: string | null
  readonly now: number
}): BillingRow<'payment'> => ({
  ...{ id: given.id, org: given.invoice.org, invoice: given.invoice.number, minor: given.minor.toString() },
  ...{ currency: given.invoice.currency, minor_digits: given.invoice.minor_digits, provider: given.provider },
  ...{ method: given.method, reference: null, state: 'pending', reason: null, tries: 0 },
  ...{ next_try_at: given.now, created_at: given.now, settled_at: null },
})

/** S0.36: the receipt of a payment, as a PDF; the same bytes each time. */
export const receipt = matter({
  right: 'billing.read',
  isUsage: false,
  input: z.strictObject({ org: OrgId, payment: Name }),
  async run({ world, org, organisation }, { payment: id }) {
    const { read } = world.store
    const payment = await read.get('payment', { id, org, state: 'succeeded' })
    const row = await read.get('receipt', { payment: id, org })
    if (payment === undefined || row === undefined)
      return refuse('INVOICING_NOT_FOUND', `there is no receipt of ${id}`)
    const method =
      payment.method === null ? undefined : await read.get('payment_method', { id: payment.method })
    return receiptPdf({ number: row.number, at: row.at, payment, method, organisation, issuer: world.issuer })
  },
})
