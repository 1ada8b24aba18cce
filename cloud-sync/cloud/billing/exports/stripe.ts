import { createHash } from 'node:crypto'
import type { Meter } from '../../../contract/index.ts'
import type { LedgerRecord } from './ledger-record.ts'

/** Stripe takes events of the last 35 days and of the next five minutes, and identifiers of 100 characters. */
const AGE_MS_MAX = 35 * 86_400_000
const AHEAD_MS_MAX = 5 * 60_000
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

/**
 * The meter events of a posted record: what it adds to each billed meter. The identifier comes from the record alone,
 * so that a second sending is recognised; a record that is too old for Stripe is sent as of now under `adjustment`, the
 * name of our own correction.
 */
export function stripeMeterEvents(
  record: LedgerRecord,
  to: { readonly customer: string; readonly now: number; readonly adjustment: string },
): StripeMeterEvent[] {
  const { gateway, epoch, seq, wallEnd } = record
  const isLate = wallEnd < to.now - AGE_MS_MAX
  const timestamp = isLate || wallEnd > to.now + AHEAD_MS_MAX ? to.now : wallEnd
  const origin = isLate ? to.adjustment : `${gateway}:${epoch}:${seq}`
  const sums = new Map<Meter, bigint>()
  for (const { meter, quantity, billable } of record.postings) {
    if (billable) sums.set(meter, (sums.get(meter) ?? 0n) + quantity)
  }
  return [...sums].flatMap(([meter, sum]) => {
    const event_name = EVENT_NAMES[meter]
    if (event_name === undefined || sum === 0n) return []
    const payload = { stripe_customer_id: to.customer, value: sum.toString() }
    const identifier = identifierOf(`${origin}:${meter}`)
    return [{ event_name, identifier, timestamp: Math.floor(timestamp / 1_000), payload }]
  })
}

/** One record has several meters, so its name alone would be a duplicate; a long one is sent as its SHA-256. */
const identifierOf = (name: string): string =>
  name.length <= IDENTIFIER_LENGTH_MAX ? name : createHash('sha256').update(name).digest('hex')
