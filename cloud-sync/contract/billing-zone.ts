import { z } from 'zod'

const DAY = /^\d{4}-\d{2}-\d{2}$/

/**
 * A time zone that an organisation's days are counted in, from the day with this label on. The name is not checked here: a
 * gateway with older tables must not refuse a whole policy for a new name, it counts that organisation's days in UTC.
 */
export const ZoneFrom = z.strictObject({
  from: z.string().regex(DAY, 'a day such as 2026-07-01'),
  zone: z.string().regex(/^[A-Za-z0-9_+/-]{1,64}$/, 'a name such as Europe/Berlin'),
})
export type ZoneFrom = z.infer<typeof ZoneFrom>

/** Before the first zone and where there is none. */
export const UTC = 'UTC'

/** A day as it is stamped into records, with the zone that it was stamped in. */
export interface DayLabel {
  readonly day: string
  readonly tz: string
}

/**
 * The billing day of a moment, epoch ms: in the newest zone whose first day has begun there. The day of a change is longer
 * or shorter than others. As time goes on days do not go back, but for a change over more than 24 hours of offset: whoever
 * stamps records keeps the latest day there as well.
 *
 * @param zones in the order of `from`
 */
export function billingDay(zones: readonly ZoneFrom[], atMs: number): DayLabel {
  for (const { from, zone } of zones.toReversed()) {
    const label = labelIn(zone, atMs)
    if (label !== undefined && label >= from) return { day: label, tz: zone }
  }
  return { day: new Date(atMs).toISOString().slice(0, 10), tz: UTC }
}

/** By name of the zone; undefined = this machine does not know it. As many as organisations choose. */
const formats = new Map<string, Intl.DateTimeFormat | undefined>()

function labelIn(zone: string, atMs: number): string | undefined {
  if (!formats.has(zone)) formats.set(zone, formatIn(zone))
  const parts = formats.get(zone)?.formatToParts(atMs)
  if (parts === undefined) return undefined
  const part = (type: string): string => parts.find((one) => one.type === type)?.value ?? ''
  return `${part('year')}-${part('month')}-${part('day')}`
}

function formatIn(zone: string): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat('en-u-ca-gregory-nu-latn', {
      timeZone: zone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
    })
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}
