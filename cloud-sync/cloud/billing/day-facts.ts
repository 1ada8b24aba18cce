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
  const numberOf = resourceNumbers()
  const sensors: string[] = []
  const days = new Map<Day, Map<number, DayFact>>()
  for (const fact of facts) {
    if (fact.meter !== 'sensor.active_day' || !fact.billable || fact.quantity <= 0n) continue
    const number = numberOf(fact)
    sensors[number] ??= resourceOf(fact)
    const day = days.get(fact.day) ?? new Map<number, DayFact>()
    if (day.size === 0) days.set(fact.day, day)
    const there = day.get(number)
    if (there === undefined || payerOf(fact) < payerOf(there)) day.set(number, fact)
  }
  const order = [...sensors.keys()].sort((a, b) => inOrder(sensors[a] ?? '', sensors[b] ?? ''))
  return new Map(
    [...days.keys()].sort(inOrder).map((day) => {
      const read = order.map((number) => days.get(day)?.get(number))
      return [day, read.filter((fact) => fact !== undefined)]
    }),
  )
}
