import { z } from 'zod'
import { OrgId } from '../../../contract/index.ts'
import {
  type Day,
  dayAt,
  type DayFact,
  daysOf,
  type Line,
  makeStatement,
  minorText,
  parsePriceBook,
  Period,
  rebill,
  type RebilledCustomer,
  type RebillingRow,
  type Statement,
} from '../../billing/index.ts'
import { nextPeriod } from '../closing.ts'
import { addPriceBook } from '../prices.ts'
import { refuse } from '../errors.ts'
import { type AtDesk, matter } from './desk.ts'
import { statementFor } from './views.ts'

/**
 * S3.18: what a partner bills its customers by its own rate cards, beside what it pays for them. Of a customer that is
 * billed outside there is nothing here either (S0.35), and of none the days before the partner managed it.
 */
export const rebilling = matter({
  right: 'billing.read',
  isUsage: true,
  input: z.strictObject({ org: OrgId, period: Period }),
  async run(at, { period }) {
    const { world, org: partner, now } = at
    const customers: RebilledCustomer[] = []
    for (const { org, since, expiresAt, isEnded } of await world.directory.customersOf(partner)) {
      const organisation = await world.directory.organisation(org)
      const isManaged = !isEnded && (expiresAt === null || expiresAt > now)
      if (!isManaged || organisation === undefined || organisation.billedOutside) continue
      const made = await rebilled({ ...at, org, organisation }, partner, period)
      const first = dayAt(since, made.cost.zone)
      customers.push({ cost: sinceDay(made.cost, first), price: sinceDay(made.price, first) })
    }
    const digits = new Map(customers.map(({ price }) => [price.org, price.minorDigits]))
    const costDigits = new Map(customers.map(({ cost }) => [cost.org, cost.minorDigits]))
    return rebill(customers).map((row) =>
      rowShown(row, digits.get(row.customer) ?? 2, costDigits.get(row.customer) ?? 2),
    )
  },
})

/** The same usage, once by the platform's prices and once by the partner's: corrections of earlier months too. */
async function rebilled(at: AtDesk, partner: OrgId, period: Period): Promise<RebilledCustomer> {
  const { world, books, org, organisation } = at
  const { statement: cost } = await statementFor(at, period)
  const { zone } = cost
  const { read } = world.store
  const prices = await books.current(read, partner)
  const { endedAt } = organisation
  const lastDay = endedAt === null ? null : dayAt(endedAt, zone)
  const runs = await read.find('rating_run', { org }, { orderBy: ['period'] })
  const run = runs.find((one) => one.period === period)
  const before = runs.findLast((one) => one.period < period)
  const isNext = run !== undefined || (await nextPeriod(world, books, org)) === period
  const known = { from: before?.cutoff ?? 0, before: run?.cutoff }
  const news = isNext ? await world.usage.monthsWithNews(org, known) : []
  const corrected = news.filter((month) => month < period)
  const booked = new Map<Period, readonly Line[]>()
  for (const month of corrected) {
    if (before === undefined) continue
    // Nobody kept what the partner billed: its prices of closed months stay, so it is what it would be billed by again.
    const facts = new Map([[month, await factsOf(at, month, before.cutoff)]])
    const then = { org, period: month, zone, prices, facts, lastDay, bookedFor: () => [] }
    booked.set(month, makeStatement(then).lines)
  }
  const facts = new Map<Period, readonly DayFact[]>()
  for (const month of [...corrected, period]) facts.set(month, await factsOf(at, month, run?.cutoff))
  const bookedFor = (month: Period): readonly Line[] => booked.get(month) ?? []
  return { cost, price: makeStatement({ org, period, zone, prices, facts, lastDay, bookedFor }) }
}

function factsOf({ world, org }: AtDesk, month: Period, postedBefore: number | undefined) {
  const days = daysOf(month)
  return world.usage.factsOf(org, { from: days.at(0) ?? '', to: days.at(-1) ?? '', postedBefore })
}

/** What a statement says of the days from one on; its lines are what is left of them. */
function sinceDay(statement: Statement, first: Day): Statement {
  const lines = statement.lines.flatMap((line) => {
    const cells = line.cells.filter(({ day }) => day >= first)
    if (cells.length === 0) return []
    if (cells.length === line.cells.length) return [line]
    const sum = (of: 'consumed' | 'charged' | 'amount' | 'minor'): bigint =>
      cells.reduce((all, cell) => all + cell[of], 0n)
    const sums = { consumed: sum('consumed'), charged: sum('charged'), exact: sum('amount') }
    return [{ ...line, ...sums, minor: sum('minor'), cells }]
  })
  return { ...statement, lines }
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
    // Also those that left: what they paid by in closed months stays in the book.
    const customers = new Set((await world.directory.customersOf(org)).map((one) => one.org))
    const foreign = parsePriceBook(data).organisations.find((customer) => !customers.has(customer))
    if (foreign !== undefined) refuse('INVOICING_INPUT_INVALID', `${foreign} is no customer of ${org}`)
    const book = await world.store.transaction((tx) => addPriceBook(tx, { data, at: now, by, owner: org }))
    return { version: book.version, warnings: book.warnings }
  },
})
