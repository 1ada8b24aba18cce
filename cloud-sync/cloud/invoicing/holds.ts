import type { OrgId } from '../../contract/index.ts'
import { dayAt, type Day, type DayFact } from '../billing/index.ts'
import type { UsageHold } from './ports.ts'

/** Days of a hold, the first included, the last not; null = it has no end yet. */
export interface HeldDays {
  readonly from: Day
  readonly before: Day | null
}

/** Days are labels of the gateway's zone, and a moment has one day in each: the earlier one is held too. */
export const daysOfHold = ({ since, until }: UsageHold, zone: string): HeldDays => ({
  from: earlier(dayAt(since, zone), dayAt(since, 'UTC')),
  before: until === null ? null : dayAt(until, zone),
})
const earlier = (a: Day, b: Day): Day => (a < b ? a : b)

export const isHeldDay = (day: Day, { from, before }: HeldDays): boolean =>
  day >= from && (before === null || day < before)

/**
 * Usage of a disputed gateway is nobody's before there is a winner, and then the winner's (decisions.md, Claiming).
 * @param facts what was metered for `org` itself @param won what was metered for losers, by hold
 */
export function withoutHeld(
  facts: readonly DayFact[],
  given: {
    readonly org: OrgId
    readonly zone: string
    readonly holds: readonly UsageHold[]
    readonly won: readonly { readonly hold: UsageHold; readonly facts: readonly DayFact[] }[]
  },
): DayFact[] {
  const { org, zone, holds, won } = given
  const against = holds
    .filter((hold) => hold.org === org && hold.winner !== org)
    .map((hold) => ({ gateway: hold.gateway, days: daysOfHold(hold, zone) }))
  const own = facts.filter(
    ({ gateway, day }) => !against.some((hold) => hold.gateway === gateway && isHeldDay(day, hold.days)),
  )
  const theirs = won.flatMap(({ hold, facts: metered }) =>
    metered
      .filter(({ day }) => isHeldDay(day, daysOfHold(hold, zone)))
      // Whose people and workspaces they were is no business of the winner.
      .map((fact) => ({ ...fact, org, custodian: null, workspace: null })),
  )
  return [...own, ...theirs]
}
