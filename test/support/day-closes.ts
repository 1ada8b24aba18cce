import { expect } from 'vitest'
import type { UsageRecord } from '../../cloud-sync/contract/index.ts'
import { postedFrom, sumsBy } from './metered-ledger.ts'

/** What the records of a day's end say, against what the records before them come to. */
export function checkDayCloses(records: readonly UsageRecord[]): void {
  for (const [at, record] of records.entries()) {
    if (record.kind !== 'day_close' || record.close === undefined) continue
    const { org, time, close } = record
    const before = records.slice(0, at)
    const ofDay = postedFrom(before).filter((one) => one.org === org && one.day === time.day)
    const sums = sumsBy(ofDay, ({ meter }) => meter)
    expect(new Map(close.totals.map(({ meter, quantity }) => [meter as string, quantity]))).toEqual(
      new Map([...sums].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    )
    const counted = before.filter(
      (one) => one.org === org && one.time.day === time.day && ['interval', 'day_assign'].includes(one.kind),
    )
    expect(close.records).toBe(counted.length)
    const sensors = new Set(
      ofDay.filter(({ meter }) => meter === 'sensor.active_day').map(({ subject }) => subject),
    )
    expect(close.sensors).toBe(sensors.size)
  }
}
