import type { GatewayId, Meter, OrgId } from '../../contract/index.ts'
import { type Day, type DayFact, type Period, periodAfter } from '../billing/index.ts'
import { type CloudDatabase, cutOff, dayFacts, monthsWithNews, reportedUntil } from '../storage/index.ts'
import { daysOfHold, withoutHeld } from './holds.ts'
import { zoneOn } from './terms.ts'
import type { BillingDirectory, UsageHold, UsageLedger } from './ports.ts'
import { usageRecords } from './records.ts'

/** What has a price; all else is evidence. */
const PRICED: readonly Meter[] = ['sensor.active_day', 'cell.alloc']

/** Beyond every day: the newest zone. */
const LAST_DAY = '9999-12-31'

interface Span {
  readonly from: Day
  readonly to: Day
  readonly postedBefore?: number | undefined
}

/** The cloud's ledger as billing reads it: what a claim that did not stand has metered is its winner's. */
export function usageLedger(given: {
  readonly db: CloudDatabase
  readonly directory: Pick<BillingDirectory, 'presenceOf' | 'holdsOf' | 'organisation'>
  /** Wall clock, epoch ms. */
  readonly now: () => number
}): UsageLedger {
  const { db, directory, now } = given
  const zoneOf = async (org: OrgId): Promise<string> =>
    zoneOn(LAST_DAY, (await directory.organisation(org))?.zones ?? [])
  const metered = (org: string, gateways: readonly GatewayId[], span: Span): Promise<DayFact[]> =>
    dayFacts(db.read, { org: org as OrgId, gateways, meters: PRICED, ...span })
  return {
    cutOff: () => cutOff(db, now()),
    async factsOf(org, span) {
      const facts = await metered(org, await directory.presenceOf(org), span)
      const holds = await directory.holdsOf(org)
      if (holds.length === 0) return facts
      const others = holds.filter((hold) => hold.winner === org && hold.org !== org)
      const won = await Promise.all(
        others.map(async (hold) => ({ hold, facts: await metered(hold.org, [hold.gateway], span) })),
      )
      return withoutHeld(facts, { org, zone: await zoneOf(org), holds, won })
    },
    async monthsWithNews(org, known) {
      const gateways = await directory.presenceOf(org)
      const months = await monthsWithNews(db.read, { org, gateways, meters: PRICED, known })
      const holds = await directory.holdsOf(org)
      const zone = await zoneOf(org)
      // Whenever it was: directory and ledger have no common order, and a month that is rated as before has no news.
      const decided = holds.filter(({ decidedAt }) => decidedAt !== null)
      return [...new Set([...months, ...decided.flatMap((hold) => monthsOf(hold, zone))])].sort()
    },
    reportedUntil: (gateways) => reportedUntil(db.read, gateways),
    async recordsOf(org, asked) {
      const [gateways, holds] = [await directory.presenceOf(org), await directory.holdsOf(org)]
      return usageRecords(db, { org, gateways, holds, zone: await zoneOf(org), meters: PRICED }, asked)
    },
  }
}

/** Every month from the beginning of a hold to its decision. */
function monthsOf(hold: UsageHold, zone: string): Period[] {
  const last = new Date(hold.decidedAt ?? hold.since).toISOString().slice(0, 7)
  const months: Period[] = []
  for (let month = daysOfHold(hold, zone).from.slice(0, 7); month <= last; month = periodAfter(month)) {
    months.push(month)
  }
  return months
}
