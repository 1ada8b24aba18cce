import { z } from 'zod'
import { OrgId } from '../../../contract/index.ts'
import { minorText, Period, phaseOf, startOf } from '../../billing/index.ts'
import { closeDue } from '../closing.ts'
import { refuse } from '../errors.ts'
import { bookPayment, outstanding } from '../payments/settle.ts'
import { addPriceBook } from '../prices.ts'
import { DUE_DAYS_MAX, GRACE_DAYS_MAX, termsOf } from '../terms.ts'
import { matter } from './desk.ts'
import { InAddress, invoiceShown, newPayment, paidOf, paymentShown } from './payments.ts'
import { coinsIn } from './refunds.ts'
import { statementShown } from './shown.ts'
import { OfMonth, statementFor } from './views.ts'

const BOOKS_MAX = 10_000

/** Puts a new price book into force; the one before stays on the record. */
export const setPrices = matter({
  right: 'operator',
  isUsage: false,
  input: z.strictObject({ book: z.record(z.string(), z.unknown()) }),
  async run({ world, now, by }, { book: data }) {
    const book = await world.store.transaction((tx) => addPriceBook(tx, { data, at: now, by }))
    return { version: book.version, warnings: book.warnings }
  },
})

export const listPrices = matter({
  right: 'operator',
  isUsage: false,
  input: z.strictObject({}),
  async run({ world }) {
    const rows = await world.store.read.find(
      'price_book',
      { owner: '' },
      { orderBy: ['number'], limit: BOOKS_MAX },
    )
    return rows.map(({ number, version, sha256, made_at: at, made_by: by }) => ({
      number,
      version,
      sha256,
      at,
      by,
    }))
  },
})

export const showPrices = matter({
  right: 'operator',
  isUsage: false,
  input: z.strictObject({ number: InAddress }),
  async run({ world }, { number }) {
    const row = await world.store.read.get('price_book', { number })
    if (row === undefined) return refuse('INVOICING_NOT_FOUND', `there is no price book ${number}`)
    return { number, version: row.version, book: JSON.parse(row.data) as unknown }
  },
})

/** Grace and days to pay, from a month on that has not begun; the zone is the directory's to say. */
export const setTerms = matter({
  right: 'operator',
  isUsage: false,
  input: z.strictObject({
    org: OrgId,
    from: Period,
    graceDays: z.int().min(0).max(GRACE_DAYS_MAX),
    dueDays: z.int().min(0).max(DUE_DAYS_MAX),
  }),
  async run({ world, org, organisation, now }, { from, graceDays, dueDays }) {
    const { zone } = await termsOf(world.store.read, organisation, from)
    const [run] = await world.store.read.find('rating_run', { org }, { limit: 1 })
    // Before the first statement any month may still be cut anew.
    if (run !== undefined && phaseOf(from, { zone, graceDays, now: Math.max(now, 0) }) !== 'open')
      return refuse('INVOICING_TERMS_TOO_EARLY', `${from} is over`)
    if (run !== undefined && startOf(`${from}-01`, zone) <= now)
      return refuse('INVOICING_TERMS_TOO_EARLY', `${from} has begun`)
    await world.store.transaction((tx) =>
      tx.add('billing_terms', {
        ...{ org, from_period: from, zone, grace_days: graceDays, due_days: dueDays, set_at: now },
      }),
    )
    return { organisation: org, from, zone, graceDays, dueDays }
  },
})

/** Also of who is billed outside: whoever writes that invoice needs it. */
export const statementOf = matter({
  right: 'operator',
  isUsage: true,
  input: OfMonth,
  async run(at, { period }) {
    const { statement, state } = await statementFor(at, period)
    const invoice = await at.world.store.read.get('invoice', { org: at.org, period: statement.period })
    return statementShown(statement, state, invoice?.number ?? null)
  },
})

/** A transfer that came: the invoice is paid by so much. */
export const recordTransfer = matter({
  right: 'operator',
  isUsage: false,
  input: z.strictObject({
    number: InAddress,
    amount: z.string().max(32).describe('as on the invoice, such as "9.00"'),
    reference: z.string().trim().min(1).max(128),
  }),
  async run({ world, now }, { number, amount, reference }) {
    const id = world.newId()
    return world.store.transaction(async (tx) => {
      const invoice = await tx.get('invoice', { number })
      if (invoice === undefined) return refuse('INVOICING_NOT_FOUND', `there is no invoice ${number}`)
      await tx.exclusively(`organisation ${invoice.org}`)
      const minor = coinsIn(amount, invoice.minor_digits)
      const left = await outstanding(tx, invoice)
      if (left <= 0n) return refuse('INVOICING_ALREADY_PAID', `nothing is left of invoice ${number}`)
      const known = await tx.find('payment', { provider: 'transfer', reference, invoice: number })
      // The same transfer, written down a second time.
      if (known[0] !== undefined)
        return paymentShown(known[0], await tx.find('refund', { payment: known[0].id }))
      const made = newPayment({ id, invoice, minor, provider: 'transfer', method: null, now })
      const payment = { ...made, reference, state: 'succeeded' as const, next_try_at: null, settled_at: now }
      await tx.put('payment', payment)
      await bookPayment(tx, payment, now)
      return paymentShown(payment)
    })
  },
})

export const listInvoices = matter({
  right: 'operator',
  isUsage: false,
  input: z.strictObject({ org: OrgId }),
  async run({ world, org }) {
    const rows = await world.store.read.find('invoice', { org }, { orderBy: ['number'] })
    return Promise.all(rows.map(async (row) => invoiceShown(row, await paidOf(world, row.number))))
  },
})

/** Closes what is due now, without waiting for the calendar. */
export const closeNow = matter({
  right: 'operator',
  isUsage: false,
  input: z.strictObject({ org: OrgId }),
  run: ({ world, books, org, now }) => closeDue(world, books, { org, now }),
})

/** What stands in the accounts; all of it sums to zero. */
export const accounts = matter({
  right: 'operator',
  isUsage: false,
  input: z.strictObject({}),
  async run({ world }) {
    const balances = await world.store.read.balances('')
    return [...balances].map(([account, amount]) => ({ account, amount: minorText(amount, 12) }))
  },
})
