import type { BillingReader, BillingRow } from '../storage/index.ts'
import { type Day, type Period, periodAfter } from '../billing/index.ts'
import type { BilledOrganisation, RecordsAsked } from './ports.ts'

/** How an organisation's months are cut and its invoices are due. */
export interface Terms {
  /** Billing zone: where its days and months begin. */
  readonly zone: string
  /** After the end of a month a gateway may still report what it held. */
  readonly graceDays: number
  readonly dueDays: number
}

export const DEFAULT_TERMS: Terms = { zone: 'UTC', graceDays: 3, dueDays: 30 }
export const GRACE_DAYS_MAX = 28
export const DUE_DAYS_MAX = 180

/**
 * The terms of a month: the newest of those that began with it or before. Its zone is the one in which the organisation's
 * days are counted at gateways, and nothing else: a month is made of days.
 */
export async function termsOf(
  read: BillingReader,
  { id: org, zones }: Pick<BilledOrganisation, 'id' | 'zones'>,
  period: Period,
): Promise<Terms> {
  const rows = await read.find('billing_terms', { org }, { orderBy: ['from_period', 'set_at'] })
  const row = rows.findLast(({ from_period: from }) => from <= period)
  const zone = zoneOn(`${period}-01`, zones)
  if (row === undefined) return { ...DEFAULT_TERMS, zone }
  return { zone, graceDays: row.grace_days, dueDays: row.due_days }
}

/** In what a day is counted. */
export const zoneOn = (day: Day, zones: BilledOrganisation['zones']): string =>
  zones.findLast(({ from }) => from <= day)?.zone ?? DEFAULT_TERMS.zone

/** The month that was closed last; undefined before the first. */
export async function lastClosed(
  read: BillingReader,
  org: string,
): Promise<BillingRow<'rating_run'> | undefined> {
  const [run] = await read.find('rating_run', { org }, { orderBy: ['period'], descending: true, limit: 1 })
  return run
}

/**
 * From when on what became known of earlier months is in the statement of this one: since the month before it was closed.
 * Null where another month's has it, or none.
 */
export async function lateSince(
  read: BillingReader,
  org: string,
  period: Period,
): Promise<RecordsAsked['late']> {
  const newest = await lastClosed(read, org)
  if (newest === undefined || periodAfter(newest.period) < period) return null
  const runs = await read.find('rating_run', { org }, { orderBy: ['period'], descending: true })
  const run = runs.find((one) => one.period < period)
  return run === undefined ? null : { postedFrom: run.cutoff, decidedFrom: run.made_at }
}
