import {
  type DayLabel,
  type DayTotals,
  type Meter,
  METERS,
  type OrgId,
} from '../../cloud-sync/contract/index.ts'

/** What an organisation's day came to so far. Kept as JSON, so sums are decimal texts. */
export interface Tally extends DayLabel {
  readonly org: OrgId
  readonly records: number
  readonly sensors: number
  readonly totals: Readonly<Partial<Record<Meter, string>>>
}

/** What one register moved by. */
export interface Moved {
  readonly meter: Meter
  readonly by: bigint
}

/** Adds a record of a day to that day's tally. Pure. */
export function tallied(
  tallies: readonly Tally[],
  { org, label, moved }: { readonly org: OrgId; readonly label: DayLabel; readonly moved: readonly Moved[] },
): Tally[] {
  const isOfDay = (tally: Tally): boolean => tally.org === org && tally.day === label.day
  const before = tallies.find(isOfDay) ?? { ...label, org, records: 0, sensors: 0, totals: {} }
  const totals: Partial<Record<Meter, string>> = { ...before.totals }
  let { sensors } = before
  for (const { meter, by } of moved) {
    totals[meter] = (BigInt(totals[meter] ?? '0') + by).toString()
    if (meter === 'sensor.active_day') sensors += 1
  }
  const after = { ...before, records: before.records + 1, sensors, totals }
  return [...tallies.filter((tally) => !isOfDay(tally)), after]
}

/** As the record of the day's end has it. */
export const totalsOf = ({ records, sensors, totals }: Tally): DayTotals => ({
  records,
  sensors,
  totals: METERS.flatMap((meter) => {
    const sum = BigInt(totals[meter] ?? '0')
    return sum === 0n ? [] : [{ meter, quantity: sum }]
  }),
})

/** Tallies of days that are over, in the order in which they are closed, and the others. */
export function overdue(
  tallies: readonly Tally[],
  today: (org: OrgId) => string | null,
): { readonly over: readonly Tally[]; readonly open: readonly Tally[] } {
  const isOver = (tally: Tally): boolean => {
    const day = today(tally.org)
    return day !== null && tally.day < day
  }
  const order = (tally: Tally): string => `${tally.day} ${tally.org}`
  return {
    over: tallies.filter(isOver).toSorted((a, b) => (order(a) < order(b) ? -1 : 1)),
    open: tallies.filter((tally) => !isOver(tally)),
  }
}
