import { createHash } from 'node:crypto'
import type { Meter, OrgId } from '../../../contract/index.ts'
import type { Day, Period } from '../calendar.ts'
import type { DayFact } from '../day-facts.ts'

/** Stripe takes events of the last 35 days and of the next five minutes; a day less, because one may be sent again. */
const AGE_MS_MAX = 34 * 86_400_000
const HALF_A_DAY_MS = 43_200_000
/** Stripe's identifiers have so many characters at most. */
const IDENTIFIER_LENGTH_MAX = 100

/** The meters that Stripe bills, by the name they have there. */
const EVENT_NAMES: Partial<Record<Meter, string>> = {
  'sensor.active_day': 'headgate_sensor_days',
  'cell.alloc': 'headgate_cellular_bytes',
}

/** A meter event as Stripe's API takes it; all values are texts, `timestamp` is in seconds. */
export interface StripeMeterEvent {
  readonly event_name: string
  readonly identifier: string
  readonly timestamp: number
  readonly payload: { readonly stripe_customer_id: string; readonly value: string }
}

/** What an organisation used of a meter on a day, as one month's closing knew it first. */
export interface MeterDelta {
  /** Of the organisation, the day, the meter and the month that was closed: the same whenever it is made. */
  readonly identifier: string
  readonly day: Day
  readonly meter: string
  /** By how much the day's sum changed since the closing before; below zero where it fell. */
  readonly counted: bigint
  /** What Stripe is told: never below zero. */
  readonly value: bigint
}

/**
 * What a closing makes known to Stripe. Its meters only add: what came late is an event of its own, and a day that fell
 * is taken off the next events of its meter (a cycle below zero would count as 0 there, and the credit be lost). Pure.
 *
 * @param facts every fact of `months`, as this closing knew them @param recorded all that earlier closings made
 */
export function meterDeltas(given: {
  readonly org: OrgId
  readonly period: Period
  readonly months: ReadonlySet<Period>
  readonly facts: readonly DayFact[]
  readonly recorded: readonly Pick<MeterDelta, 'day' | 'meter' | 'counted' | 'value'>[]
}): MeterDelta[] {
  const { org, period, months, facts, recorded } = given
  const changes = new Map<string, { readonly day: Day; readonly meter: string; counted: bigint }>()
  /** By meter, never above zero: what fell and is not taken off yet. */
  const credits = new Map<string, bigint>()
  const add = (day: Day, meter: string, by: bigint): void => {
    const name = `${meter} ${day}`
    const change = changes.get(name)
    if (change === undefined) changes.set(name, { day, meter, counted: by })
    else change.counted += by
  }
  for (const { day, meter, quantity, billable } of facts)
    if (billable && EVENT_NAMES[meter] !== undefined) add(day, meter, quantity)
  for (const { day, meter, counted, value } of recorded) {
    credits.set(meter, (credits.get(meter) ?? 0n) + counted - value)
    if (months.has(day.slice(0, 7))) add(day, meter, -counted)
  }
  // What fell comes first, so that it is taken off what came in the same closing.
  const ordered = [...changes.values()]
    .filter(({ counted }) => counted !== 0n)
    .sort((a, b) => Number(a.counted > 0n) - Number(b.counted > 0n) || (keyOf(a) < keyOf(b) ? -1 : 1))
  return ordered.map(({ day, meter, counted }) => {
    const owed = (credits.get(meter) ?? 0n) + counted
    const value = owed > 0n ? owed : 0n
    credits.set(meter, owed - value)
    return { identifier: identifierOf(`${org}:${day}:${meter}:${period}`), day, meter, counted, value }
  })
}

const keyOf = ({ day, meter }: Pick<MeterDelta, 'day' | 'meter'>): string => `${meter} ${day}`

/**
 * When Stripe is told that it was: noon UTC of its day, which is within that day in nearly every zone; the present where
 * the day is older than Stripe takes or has not come to its noon. Epoch seconds.
 */
export function meterTimestamp(day: Day, now: number): number {
  const noon = Date.parse(day) + HALF_A_DAY_MS
  const at = Number.isNaN(noon) || noon > now || noon < now - AGE_MS_MAX ? now : noon
  return Math.floor(at / 1_000)
}

export const meterEventOf = (
  { identifier, meter, value }: Pick<MeterDelta, 'identifier' | 'meter' | 'value'>,
  { customer, timestamp }: { readonly customer: string; readonly timestamp: number },
): StripeMeterEvent => ({
  event_name: EVENT_NAMES[meter as Meter] ?? meter,
  identifier,
  timestamp,
  payload: { stripe_customer_id: customer, value: value.toString() },
})

/** One that is too long is its SHA-256. */
const identifierOf = (name: string): string =>
  name.length <= IDENTIFIER_LENGTH_MAX ? name : createHash('sha256').update(name).digest('hex')
