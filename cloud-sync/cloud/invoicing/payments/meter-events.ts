import {
  daysOf,
  type DayFact,
  type MeterDelta,
  meterDeltas,
  meterEventOf,
  meterTimestamp,
  type Period,
  periodAfter,
} from '../../billing/index.ts'
import type { OrgId } from '../../../contract/index.ts'
import type { BillingReader, BillingRow } from '../../storage/index.ts'
import { InvoicingError } from '../errors.ts'
import type { BilledOrganisation, InvoicingWorld } from '../ports.ts'
import { customerOf } from './methods.ts'

type Row = BillingRow<'meter_event'>

/**
 * The provider knows an identifier again for at least 24 hours; an hour less, for what is on its way. Later the same event
 * would count a second time, so nobody sends it by himself: somebody has to look what the provider has.
 */
const REPEATABLE_MS = 23 * 3_600_000
/** Events on their way at once. */
const EVENTS_AT_ONCE = 10

/** What the closing of a month makes known to the provider, from what it took; nothing where a later one has it. */
export async function plannedEvents(
  world: InvoicingWorld,
  org: OrgId,
  period: Period,
): Promise<readonly MeterDelta[]> {
  const { store, usage } = world
  const run = await store.read.get('rating_run', { org, period })
  if (run === undefined) return []
  const last = await lastRun(store.read, org)
  if (last !== undefined && last.period >= period) return []
  const months = await monthsOf(world, { org, period, last, cutoff: run.cutoff })
  const facts: DayFact[] = []
  for (const month of months) {
    const days = daysOf(month)
    const span = { from: days.at(0) ?? '', to: days.at(-1) ?? '', postedBefore: run.cutoff }
    facts.push(...(await usage.factsOf(org, span)))
  }
  const recorded = (await store.read.find('meter_event', { org })).map(countedIn)
  return meterDeltas({ org, period, months, facts, recorded })
}

/** Months that were never told of, and those of which something became known since. */
async function monthsOf(
  { store, usage }: InvoicingWorld,
  asked: { org: OrgId; period: Period; last: BillingRow<'meter_run'> | undefined; cutoff: number },
): Promise<Set<Period>> {
  const { org, period, last, cutoff } = asked
  const runs = await store.read.find('rating_run', { org }, { orderBy: ['period'], limit: 1 })
  const first = runs[0]?.period ?? period
  const news = await usage.monthsWithNews(org, { from: last?.cutoff ?? 0, before: cutoff })
  // Before the first statement nothing is billed; a gateway's clock may have been wrong.
  const months = new Set(news.filter((month) => month >= first && month <= period))
  const next = last === undefined ? first : periodAfter(last.period)
  for (let month = next; month <= period; month = periodAfter(month)) months.add(month)
  return months
}

const lastRun = async (read: BillingReader, org: string): Promise<BillingRow<'meter_run'> | undefined> => {
  const [last] = await read.find('meter_run', { org }, { orderBy: ['period'], descending: true, limit: 1 })
  return last
}

const countedIn = ({ identifier, day, meter, counted, value }: Row): MeterDelta => ({
  ...{ identifier, day, meter },
  counted: BigInt(counted),
  value: BigInt(value),
})

/** Writes down, once, what a closing makes known, before any of it is sent. */
export async function recordEvents(world: InvoicingWorld, org: OrgId, period: Period): Promise<void> {
  const { store, now } = world
  const run = await store.read.get('rating_run', { org, period })
  const before = await lastRun(store.read, org)
  if (run === undefined || (before !== undefined && before.period >= period)) return
  const deltas = await plannedEvents(world, org, period)
  await store.transaction(async (tx) => {
    await tx.exclusively(`meter events ${org}`)
    // Somebody else may have written it since: then these sums are of no use.
    if ((await lastRun(tx, org))?.period !== before?.period) return
    await tx.add('meter_run', { org, period, cutoff: run.cutoff, made_at: now() })
    for (const { counted, value, ...delta } of deltas)
      await tx.put('meter_event', {
        ...{ ...delta, org, period, counted: counted.toString(), value: value.toString() },
        ...{
          state: value === 0n ? 'carried' : 'made',
          tries: 0,
          tried_at: null,
          timestamp: null,
          sent_at: null,
        },
      })
  })
}

/**
 * Sends what waits. What was on its way when this process ended is sent again under the same identifier as long as the
 * provider knows it; after that it is `unsure`. How many the provider did not have.
 */
export async function sendEvents(world: InvoicingWorld, organisation: BilledOrganisation): Promise<number> {
  const org = organisation.id
  const waiting = await world.store.read.find(
    'meter_event',
    { org, state: ['made', 'sending'] },
    { orderBy: ['identifier'] },
  )
  if (waiting.length === 0) return 0
  const customer = await customerOf(world, organisation)
  let fresh = 0
  for (let at = 0; at < waiting.length; at += EVENTS_AT_ONCE) {
    const some = waiting.slice(at, at + EVENTS_AT_ONCE)
    const sent = await Promise.all(some.map(({ identifier }) => send(world, { org, identifier, customer })))
    fresh += sent.filter(Boolean).length
  }
  return fresh
}

async function send(
  world: InvoicingWorld,
  { org, identifier, customer }: { org: string; identifier: string; customer: string },
): Promise<boolean> {
  const row = await begin(world, org, identifier)
  if (row === undefined) return false
  const event = meterEventOf(countedIn(row), { customer, timestamp: row.timestamp })
  try {
    const fresh = await world.provider.meter(event, row.tries)
    await note(world, row, { state: 'sent', sent_at: world.now() })
    return fresh
  } catch (error) {
    // Nothing was taken: it may be tried again for ever, as of another time.
    if (error instanceof InvoicingError && error.code === 'INVOICING_PAYMENT_REFUSED')
      await note(world, row, { state: 'made', tried_at: null, timestamp: null })
    throw error
  }
}

/** Notes the try before it is made; undefined where it is not to be made. */
async function begin(
  { store, now: clock }: InvoicingWorld,
  org: string,
  identifier: string,
): Promise<(Row & { timestamp: number }) | undefined> {
  const now = clock()
  return store.transaction(async (tx) => {
    await tx.exclusively(`meter events ${org}`)
    const row = await tx.get('meter_event', { identifier })
    if (row?.state !== 'made' && row?.state !== 'sending') return undefined
    if (row.tried_at !== null && now - row.tried_at > REPEATABLE_MS) {
      await tx.put('meter_event', { ...row, state: 'unsure' })
      return undefined
    }
    const tried = {
      ...row,
      state: 'sending' as const,
      tries: row.tries + 1,
      tried_at: row.tried_at ?? now,
      timestamp: row.timestamp ?? meterTimestamp(row.day, now),
    }
    await tx.put('meter_event', tried)
    return tried
  })
}

const note = (world: InvoicingWorld, { org, identifier }: Row, now: Partial<Row>): Promise<void> =>
  world.store.transaction(async (tx) => {
    await tx.exclusively(`meter events ${org}`)
    const row = await tx.get('meter_event', { identifier })
    if (row?.state === 'sending') await tx.put('meter_event', { ...row, ...now })
  })

/** Somebody has looked what the provider has of an event that is `unsure`; false where there is no such event. */
export const decideEvent = (
  { store, now }: InvoicingWorld,
  { org, identifier, isThere }: { org: string; identifier: string; isThere: boolean },
): Promise<Row | undefined> =>
  store.transaction(async (tx) => {
    await tx.exclusively(`meter events ${org}`)
    const row = await tx.get('meter_event', { org, identifier, state: 'unsure' })
    if (row === undefined) return undefined
    const decided: Row = isThere
      ? { ...row, state: 'sent', sent_at: now() }
      : { ...row, state: 'made', tried_at: null, timestamp: null }
    await tx.put('meter_event', decided)
    return decided
  })

/** Sends what waits of every organisation; what a crash left is among it. */
export async function sendWaiting(
  world: InvoicingWorld,
  { signal, onError }: { signal?: AbortSignal; onError: (error: unknown) => void },
): Promise<void> {
  if (!world.provider.charges) return
  const waiting = await world.store.read.find('meter_event', { state: ['made', 'sending'] })
  for (const org of new Set(waiting.map((row) => row.org))) {
    if (signal?.aborted === true) return
    try {
      const organisation = await world.directory.organisation(org)
      if (organisation !== undefined) await sendEvents(world, organisation)
    } catch (error) {
      onError(error)
    }
  }
}
