import { z } from 'zod'
import { OrgId } from '../../../contract/index.ts'
import {
  daysOf,
  makeStatement,
  minorText,
  Period,
  rebill,
  type RebilledCustomer,
  type RebillingRow,
} from '../../billing/index.ts'
import { addPriceBook } from '../prices.ts'
import { refuse } from '../errors.ts'
import { type AtDesk, matter } from './desk.ts'
import { statementFor } from './views.ts'

/** S3.18: what a partner bills its customers by its own rate cards, beside what it pays for them. */
export const rebilling = matter({
  right: 'billing.read',
  isUsage: true,
  input: z.strictObject({ org: OrgId, period: Period }),
  async run(at, { period }) {
    const { world, org } = at
    const customers: RebilledCustomer[] = []
    for (const customer of await world.directory.customersOf(org)) {
      const organisation = await world.directory.organisation(customer)
      if (organisation !== undefined)
        customers.push(await rebilled({ ...at, org: customer, organisation }, org, period))
    }
    const digits = new Map(customers.map(({ price }) => [price.org, price.minorDigits]))
    const costDigits = new Map(customers.map(({ cost }) => [cost.org, cost.minorDigits]))
    return rebill(customers).map((row) =>
      rowShown(row, digits.get(row.customer) ?? 2, costDigits.get(row.customer) ?? 2),
    )
  },
})

/** The same usage, once by the platform's prices and once by the partner's. */
async function rebilled(at: AtDesk, partner: OrgId, period: Period): Promise<RebilledCustomer> {
  const { world, books, org } = at
  const { statement: cost } = await statementFor(at, period)
  const run = await world.store.read.get('rating_run', { org, period })
  const prices = await books.current(world.store.read, partner)
  const months = [...new Set([period, ...cost.lines.map((line) => line.period)])].sort()
  const postedBefore = run?.cutoff
  const facts = await Promise.all(
    months.map(async (month) => {
      const days = daysOf(month)
      const span = { from: days.at(0) ?? '', to: days.at(-1) ?? '', postedBefore }
      return [month, await world.usage.factsOf(org, span)] as const
    }),
  )
  // Corrections of earlier months are the partner's own to make: what it billed for them is in its own books.
  const own = new Map(facts.filter(([month]) => month === period))
  const price = makeStatement({ org, period, zone: cost.zone, prices, facts: own, bookedFor: () => [] })
  return { cost, price }
}

const rowShown = (row: RebillingRow, digits: number, costDigits: number) => ({
  customer: row.customer as string,
  period: row.period,
  used: row.used,
  service: row.service,
  consumed: row.consumed.toString(),
  price: minorText(row.price, digits),
  currency: row.currency,
  cost: minorText(row.cost, costDigits),
  costCurrency: row.costCurrency,
  margin: row.margin === null ? null : minorText(row.margin, digits),
})

/** A partner's own rate cards, for its own customers. */
export const setPartnerPrices = matter({
  right: 'billing.manage',
  isUsage: true,
  input: z.strictObject({ org: OrgId, book: z.record(z.string(), z.unknown()) }),
  async run({ world, org, now, by }, { book: data }) {
    const customers = new Set<string>(await world.directory.customersOf(org))
    return world.store.transaction(async (tx) => {
      const book = await addPriceBook(tx, { data, at: now, by, owner: org })
      const foreign = book.organisations.find((customer) => !customers.has(customer))
      if (foreign !== undefined) refuse('INVOICING_INPUT_INVALID', `${foreign} is no customer of ${org}`)
      return { version: book.version, warnings: book.warnings }
    })
  },
})
