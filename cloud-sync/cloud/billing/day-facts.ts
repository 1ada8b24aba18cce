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

/** One sensor that was read on a day. */
export interface SensorDay extends DayFact {
  /** Gateway and subject; the order of sensors wherever somebody must come first. */
  readonly sensor: string
}

/** Order of texts by code unit: the same on every machine. */
export const inOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

export const resourceOf = (of: {
  readonly gateway: string | null
  readonly subject: string | null
}): string => `${of.gateway ?? ''} ${of.subject ?? ''}`

const payerOf = ({ custodian, workspace }: DayFact): string => `${custodian ?? '~'} ${workspace ?? '~'}`

/**
 * The billable sensors of each day, each at most once however often its register began anew (I12), days and sensors in
 * order. The gateway stamps a sensor's day once, at its first reading; should a day still name two payers (a restored
 * gateway), the first by name pays, so that the order of arrival decides nothing.
 */
export function sensorDays(facts: readonly DayFact[]): Map<Day, SensorDay[]> {
  const days = new Map<Day, Map<string, SensorDay>>()
  for (const fact of facts) {
    if (fact.meter !== 'sensor.active_day' || !fact.billable || fact.quantity <= 0n) continue
    const sensors = days.get(fact.day) ?? new Map<string, SensorDay>()
    days.set(fact.day, sensors)
    const sensor = resourceOf(fact)
    const there = sensors.get(sensor)
    if (there === undefined || payerOf(fact) < payerOf(there)) sensors.set(sensor, { ...fact, sensor })
  }
  const names = new Set([...days.values()].flatMap((sensors) => [...sensors.keys()]))
  const rank = new Map([...names].sort(inOrder).map((name, index) => [name, index]))
  const rankOf = ({ sensor }: SensorDay): number => rank.get(sensor) ?? 0
  return new Map(
    [...days.keys()].sort(inOrder).map((day) => {
      const sensors = [...(days.get(day)?.values() ?? [])]
      return [day, sensors.sort((a, b) => rankOf(a) - rankOf(b))]
    }),
  )
}
