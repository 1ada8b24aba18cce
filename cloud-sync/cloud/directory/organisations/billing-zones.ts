import { billingDay, type ZoneFrom, ZONES_MAX } from '../../../contract/index.ts'
import { refuse } from '../errors.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
/** Every zone is this many minutes, times a whole number, from UTC. */
const OFFSET_STEP_MS = 15 * MINUTE_MS
/** A change is over within this of midnight UTC: no zone is further from it than 14 hours. */
const REACH_MS = 2 * DAY_MS

/**
 * The zones with another one in force from the first day of the next month that has begun nowhere, in place of any other
 * that was to begin then: so there is one change a month at most, and a month is counted in one zone. Refuses with
 * DIRECTORY_ZONE_TOO_FAR a zone that is a whole day or more from the one before. @param at epoch ms
 */
export function zonesWith(known: readonly ZoneFrom[], zone: string, at: number): ZoneFrom[] {
  const from = nextMonth([...known.map((one) => one.zone), zone], at)
  const before = known.filter((one) => one.from < from)
  if ((before.at(-1)?.zone ?? 'UTC') === zone) return before
  const after = [...before, { from, zone }]
  if (skipsDay(after, from))
    refuse('DIRECTORY_ZONE_TOO_FAR', `${zone} is a day or more from ${before.at(-1)?.zone ?? 'UTC'}`)
  return after.slice(-ZONES_MAX)
}

/** First day of the month after tomorrow's, in whichever of these zones it is latest: gateways hear of it before. */
function nextMonth(zones: readonly string[], at: number): string {
  const days = zones.map((zone) => billingDay([{ from: '0000-00-00', zone }], at + DAY_MS).day)
  const [year, month] = (days.sort().at(-1) ?? '').split('-').map(Number)
  return new Date(Date.UTC(year ?? 0, month ?? 0, 1)).toISOString().slice(0, 10)
}

/**
 * Whether some day would never be while the zones change. To the west the last day before is longer and to the east it is
 * shorter, by what lies between them; a whole day shorter it is not there at all.
 */
function skipsDay(zones: readonly ZoneFrom[], from: string): boolean {
  const midnight = Date.parse(from)
  let last = billingDay(zones, midnight - REACH_MS).day
  for (let at = midnight - REACH_MS; at <= midnight + REACH_MS; at += OFFSET_STEP_MS) {
    const { day } = billingDay(zones, at)
    if (Date.parse(day) - Date.parse(last) > DAY_MS) return true
    // A label never goes back: gateways keep the latest.
    if (day > last) last = day
  }
  return false
}
