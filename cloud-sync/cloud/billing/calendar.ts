import { z } from 'zod'

/** A calendar day as the gateway stamped it, once, in the organisation's billing zone: a label, never recomputed. */
export const Day = z.iso.date()
export type Day = z.infer<typeof Day>
/** A calendar month, `2026-07`. */
export const Period = z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, 'a month such as 2026-07')
export type Period = z.infer<typeof Period>

/** A time zone's name that this machine knows, such as Europe/Berlin. */
export const BillingZone = z.string().max(64).refine(isZone, 'no such time zone')
export type BillingZone = z.infer<typeof BillingZone>

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
/** No place on earth is further from UTC. */
const OFFSET_MINUTES_MAX = 15 * 60

function isZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== ''
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

export const periodOf = (day: Day): Period => day.slice(0, 7)

/** Every day of a month, in order. */
export function daysOf(period: Period): Day[] {
  const first = Date.parse(`${period}-01`)
  const days: Day[] = []
  for (let at = first; periodOf(dayOfUtc(at)) === period; at += DAY_MS) days.push(dayOfUtc(at))
  return days
}

export const periodAfter = (period: Period): Period =>
  periodOf(dayOfUtc(Date.parse(`${period}-01`) + 31 * DAY_MS))

const dayOfUtc = (ms: number): Day => new Date(ms).toISOString().slice(0, 10)

/**
 * The first moment of a day in a zone, milliseconds since 1970. Not "local midnight": in some zones a day begins at
 * 01:00 because the clocks go forward at midnight, and a few days never were.
 */
export function startOf(day: Day, zone: BillingZone): number {
  const labelAt = labels(zone)
  const utc = Date.parse(day)
  let before = -OFFSET_MINUTES_MAX
  let after = OFFSET_MINUTES_MAX
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2)
    if (labelAt(utc + middle * MINUTE_MS) >= day) after = middle
    else before = middle
  }
  return utc + after * MINUTE_MS
}

/** The day that a moment belongs to in a zone. */
export const dayAt = (ms: number, zone: BillingZone): Day => labels(zone)(ms)

function labels(zone: BillingZone): (ms: number) => Day {
  const parts = new Intl.DateTimeFormat('en-u-ca-gregory-nu-latn', {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  })
  return (ms) => {
    const named = new Map(parts.formatToParts(ms).map(({ type, value }) => [type, value]))
    return ['year', 'month', 'day'].map((part) => named.get(part as 'year') ?? '').join('-')
  }
}

/**
 * Where a month stands: `open` while its days go on, `grace` while a gateway may still report what it held, then `due`
 * to be closed. It is closed by a statement, never by a clock, and never waits for a gateway (metering.md, 1.3).
 */
export function phaseOf(
  period: Period,
  { zone, graceDays, now }: { zone: BillingZone; graceDays: number; now: number },
): 'open' | 'grace' | 'due' {
  const end = startOf(`${periodAfter(period)}-01`, zone)
  if (now < end) return 'open'
  return now < end + graceDays * DAY_MS ? 'grace' : 'due'
}
