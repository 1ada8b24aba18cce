import type { Meter, OrgId } from '../../contract/index.ts'
import type { Day } from './calendar.ts'

/** What the ledger says of one day: the sum of its postings by meter, subject and payer. */
export interface DayFact {
  readonly org: OrgId
  readonly day: Day
  readonly meter: Meter
  readonly gateway: string
  /** `sensor:device/name`, `gateway` or `link:id`. */
  readonly subject: string
  /** The member who looked after it when it was used. */
  readonly custodian: string | null
  readonly workspace: string | null
  readonly billable: boolean
  readonly quantity: bigint
  /** MCC and MNC of the cellular network, where there was one. */
  readonly network: string | null
}

/** Order of texts by code unit: the same on every machine. */
export const inOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** A sensor, link or gateway; both null for what is of the whole organisation. */
interface Resource {
  readonly gateway: string | null
  readonly subject: string | null
}
/** Gateway and subject; the order of sensors wherever somebody must come first. */
export const resourceOf = ({ gateway, subject }: Resource): string => `${gateway ?? ''} ${subject ?? ''}`

const payerOf = ({ custodian, workspace }: DayFact): string => `${custodian ?? '~'} ${workspace ?? '~'}`

/** A number for each resource, in the order in which they come; without making a text of each, of which there are many. */
export function resourceNumbers(): (of: Resource) => number {
  const gateways = new Map<string | null, Map<string | null, number>>()
  let count = 0
  return ({ gateway, subject }) => {
    const subjects = gateways.get(gateway) ?? new Map<string | null, number>()
    if (subjects.size === 0) gateways.set(gateway, subjects)
    const known = subjects.get(subject)
    if (known !== undefined) return known
    subjects.set(subject, count)
    count += 1
    return count - 1
  }
}

/**
 * The billable sensors of each day, each at most once however often its register began anew (I12), days and sensors in
 * order. The gateway stamps a sensor's day once, at its first reading; should a day still name two payers (a restored
 * gateway), the first by name pays, so that the order of arrival decides nothing.
 */
export function sensorDays(facts: readonly DayFact[]): Map<Day, DayFact[]> {
  const read = facts.filter(
    ({ meter, billable, quantity }) => meter === 'sensor.active_day' && billable && quantity > 0n,
  )
  // The ledger gives them in this order; to look is cheaper than to sort a third of a million.
  if (read.some((fact, at) => at > 0 && bySensorDay(read[at - 1] ?? fact, fact) > 0)) read.sort(bySensorDay)
  const days = new Map<Day, DayFact[]>()
  let day: DayFact[] = []
  for (const fact of read) {
    const last = day.at(-1)
    if (last?.day !== fact.day) days.set(fact.day, (day = [fact]))
    else if (last.subject !== fact.subject || last.gateway !== fact.gateway) day.push(fact)
    else if (payerOf(fact) < payerOf(last)) day[day.length - 1] = fact
  }
  return days
}

const bySensorDay = (a: DayFact, b: DayFact): number =>
  inOrder(a.day, b.day) || inOrder(a.gateway, b.gateway) || inOrder(a.subject, b.subject)
