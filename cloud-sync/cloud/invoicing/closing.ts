import type { OrgId } from '../../contract/index.ts'
import {
  dayAt,
  daysOf,
  type DayFact,
  makeStatement,
  type Period,
  periodAfter,
  periodOf,
  phaseOf,
  type PriceBook,
  startOf,
  type Statement,
} from '../billing/index.ts'
import { type BillingTransaction, isDuplicate } from '../storage/index.ts'
import { outstanding } from './payments/settle.ts'
import type { InvoicingWorld } from './ports.ts'
import { PRICE_BOOKS, type PriceBooks } from './prices.ts'
import { bookStatement, linesBookedFor } from './statements.ts'
import { lastClosed, type Terms, termsOf } from './terms.ts'

/** Months closed in one turn; a cloud that stood still for years takes several. */
const MONTHS_A_TURN_MAX = 24
const DAY_MS = 86_400_000

export interface Closed {
  readonly org: OrgId
  readonly period: Period
  readonly run: string
  /** Of the invoice; null where none was written. */
  readonly invoice: number | null
}

/**
 * Closes every month of an organisation that is due, oldest first. Running it again, or twice at once, closes nothing
 * twice. @param now believed time, epoch ms
 */
export async function closeDue(
  world: InvoicingWorld,
  books: PriceBooks,
  { org, now }: { org: OrgId; now: number },
): Promise<Closed[]> {
  const closed: Closed[] = []
  for (let turn = 0; turn < MONTHS_A_TURN_MAX; turn += 1) {
    const period = await nextPeriod(world, books, org)
    if (period === undefined) return closed
    const organisation = await world.directory.organisation(org)
    const terms = await termsOf(world.store.read, organisation ?? { id: org, zones: [] }, period)
    const phase = phaseOf(period, { ...terms, now })
    await notePhase(world, { org, period, zone: terms.zone, phase })
    if (phase !== 'due') return closed
    const month = await closeMonth(world, books, { org, period, terms, now })
    if (month === undefined) return closed
    closed.push(month)
  }
  return closed
}

/**
 * The month after the last closed one; the first is that of the first rate card: before it nothing has a price, and a
 * gateway whose clock was wrong may have used something in 1970.
 */
export async function nextPeriod(
  { store }: InvoicingWorld,
  books: PriceBooks,
  org: OrgId,
): Promise<Period | undefined> {
  const last = await lastClosed(store.read, org)
  if (last !== undefined) return periodAfter(last.period)
  const [card] = (await books.current(store.read)).changesOf(org)
  return card === undefined ? undefined : periodOf(card)
}

/** What a statement of a month that is not closed is made of. */
export async function rateMonth(
  world: InvoicingWorld,
  asked: {
    readonly org: OrgId
    readonly period: Period
    readonly zone: string
    readonly prices: PriceBook
    /** Of the ledger; absent = all that is there. */
    readonly cutoff?: number
    /** Earlier months are corrected by the month that is closed next, by no other. */
    readonly corrects: boolean
  },
): Promise<Statement> {
  const { org, period, zone, prices, cutoff } = asked
  const endedAt = (await world.directory.organisation(org))?.endedAt ?? null
  const news = asked.corrects ? await newsOf(world, org, cutoff) : []
  const facts = new Map<Period, readonly DayFact[]>()
  for (const used of [...news.filter((month) => month < period), period]) {
    const days = daysOf(used)
    const span = { from: days.at(0) ?? '', to: days.at(-1) ?? '', postedBefore: cutoff }
    facts.set(used, await world.usage.factsOf(org, span))
  }
  const booked = new Map<Period, Awaited<ReturnType<typeof linesBookedFor>>>()
  for (const used of facts.keys()) booked.set(used, await linesBookedFor(world.store.read, org, used))
  return makeStatement({
    ...{ org, period, zone, prices, facts },
    lastDay: endedAt === null ? null : dayAt(endedAt, zone),
    bookedFor: (used) => booked.get(used) ?? [],
    unreported: await unreported(world, org, startOf(`${periodAfter(period)}-01`, zone)),
  })
}

/** Months of which something was posted since the last closing. */
async function newsOf(
  { store, usage }: InvoicingWorld,
  org: OrgId,
  before: number | undefined,
): Promise<readonly Period[]> {
  const last = (await lastClosed(store.read, org))?.cutoff ?? 0
  // A ledger that is behind itself was restored: then everything may be new, and what is not has no difference.
  const from = before === undefined || last <= before ? last : 0
  return usage.monthsWithNews(org, { from, before })
}

interface Month {
  readonly org: OrgId
  readonly period: Period
  readonly terms: Terms
  readonly now: number
}

/** One who sets prices all the time is waited for no longer than this; the next turn closes the month. */
const PRICES_CHANGED_MAX = 5

/** Prices that change while a month is rated are those of all of it: it is rated anew. */
async function closeMonth(
  world: InvoicingWorld,
  books: PriceBooks,
  month: Month,
): Promise<Closed | undefined> {
  for (let tries = 0; tries < PRICES_CHANGED_MAX; tries += 1) {
    const closed = await closeByPrices(world, books, month)
    if (closed !== 'prices-changed') return closed
  }
  return undefined
}

async function closeByPrices(
  world: InvoicingWorld,
  books: PriceBooks,
  { org, period, terms, now }: Month,
): Promise<Closed | 'prices-changed' | undefined> {
  const { store, newId } = world
  const cutoff = await world.usage.cutOff()
  const prices = await books.current(store.read)
  const statement = await rateMonth(world, { org, period, zone: terms.zone, prices, cutoff, corrects: true })
  const organisation = await world.directory.organisation(org)
  const run = newId()
  try {
    return await store.transaction(async (tx) => {
      await tx.exclusively(`organisation ${org}`)
      // Somebody else may have closed it since: then this statement is of no use.
      if ((await tx.get('rating_run', { org, period })) !== undefined) return undefined
      // From here on nobody adds a book; whoever does so later finds this month closed.
      await tx.exclusively(PRICE_BOOKS)
      if ((await books.current(tx)).version !== prices.version) return 'prices-changed'
      await bookStatement(tx, statement, { run, cutoff, at: now })
      await tx.put('billing_period', {
        ...{ org, period, state: 'closed', zone: terms.zone },
        ...{ from_at: statement.from, to_at: statement.to, run, closed_at: now },
      })
      const invoice =
        organisation?.billedOutside === false
          ? await invoiceFor(tx, statement, { run, now, dueDays: terms.dueDays, world })
          : null
      await tx.add('billing_audit', {
        ...{ at: now, org, actor: 'calendar', what: 'period.close' },
        detail: JSON.stringify({ period, run, cutoff, prices: statement.priceBook, invoice }),
      })
      return { org, period, run, invoice }
    })
  } catch (error) {
    if (isDuplicate(error)) return undefined
    throw error
  }
}

/** Writes an invoice, or a credit note where the total is below zero, and begins its payment. */
async function invoiceFor(
  tx: BillingTransaction,
  { org, period, currency, minorDigits, total }: Statement,
  { run, now, dueDays, world }: { run: string; now: number; dueDays: number; world: InvoicingWorld },
): Promise<number | null> {
  if (currency === null || total === 0n) return null
  await tx.exclusively('invoice numbers')
  const [last] = await tx.find('invoice', {}, { orderBy: ['number'], descending: true, limit: 1 })
  const number = (last?.number ?? 0) + 1
  await tx.add('invoice', {
    ...{ number, org, period, run, currency, minor_digits: minorDigits },
    ...{ total_minor: total.toString(), issued_at: now, due_at: now + dueDays * DAY_MS },
  })
  const [method] = await tx.find('payment_method', { org, state: 'active', is_default: 1 }, { limit: 1 })
  const minor = await outstanding(tx, {
    ...{ number, org, total_minor: total.toString(), minor_digits: minorDigits },
  })
  // What earlier credit notes gave back is not charged.
  if (minor > 0n && world.provider.charges && method !== undefined) {
    await tx.put('payment', {
      ...{ id: world.newId(), org, invoice: number, minor: minor.toString(), currency },
      ...{ minor_digits: minorDigits, provider: world.provider.name, method: method.id, reference: null },
      ...{ state: 'pending', reason: null, tries: 0, next_try_at: now, created_at: now, settled_at: null },
    })
  }
  return number
}

/** Gateways whose last word is from before the end of the month; a statement never waits for them. */
async function unreported(
  { directory, usage }: InvoicingWorld,
  org: OrgId,
  end: number,
): Promise<{ gateway: string; since: number | null }[]> {
  const gateways = [...(await directory.gatewaysOf(org)).keys()].sort()
  const until = await usage.reportedUntil(gateways)
  return gateways
    .map((gateway) => ({ gateway, since: until.get(gateway) ?? null }))
    .filter(({ since }) => since === null || since < end)
}

async function notePhase(
  { store }: InvoicingWorld,
  {
    org,
    period,
    zone,
    phase,
  }: { org: string; period: Period; zone: string; phase: ReturnType<typeof phaseOf> },
): Promise<void> {
  const state = phase === 'open' ? 'open' : 'grace'
  const known = await store.read.get('billing_period', { org, period })
  if (known?.state === state || known?.state === 'closed') return
  const [from_at, to_at] = [startOf(`${period}-01`, zone), startOf(`${periodAfter(period)}-01`, zone)]
  await store.transaction(async (tx) => {
    await tx.exclusively(`organisation ${org}`)
    const now = await tx.get('billing_period', { org, period })
    if (now?.state === 'closed') return
    await tx.put('billing_period', { org, period, state, zone, from_at, to_at, run: null, closed_at: null })
  })
}
