import type { UsageRecord } from '../../contract/index.ts'
import { countOfDay, type Db, usageDays } from '../storage/index.ts'

/**
 * Whether the ledger has what a gateway says that a day came to (metering.md 4.6). A difference means that something got
 * lost or counted twice on the way, or that the gateway was set back; records themselves are never changed by it.
 */
export async function agrees(db: Db, { gw, org, time, close }: UsageRecord): Promise<boolean> {
  const { day } = time
  if (close === undefined || day === null) return true
  const posted = await usageDays(db, { org, gateways: [gw], from: day, to: day })
  const sums = new Map<string, bigint>()
  for (const { meter, quantity } of posted) sums.set(meter, (sums.get(meter) ?? 0n) + quantity)
  const sensors = new Set(
    posted.flatMap(({ meter, subject }) => (meter === 'sensor.active_day' ? [subject] : [])),
  )
  const isSame = close.totals.every(({ meter, quantity }) => sums.get(meter) === quantity)
  const records = await countOfDay(db, { gateway: gw, org, day })
  return (
    isSame && records === close.records && close.totals.length === sums.size && close.sensors === sensors.size
  )
}
