import type { Database } from 'better-sqlite3'
import type { StoredReading } from '../../cloud-sync/contract/index.ts'
import type { Item } from './batches.ts'
import type { ChannelBook } from './channels.ts'
import { type Hold, isHeld } from './holds.ts'
import type { Range } from './lanes.ts'
import { decodePacks } from './packing.ts'
import { decodeWindow, type WindowRow } from './windows.ts'

/** Rows looked at for one batch. */
const ROWS_MAX = 4000

interface Found {
  readonly last: number
  readonly count: number
  readonly read: () => readonly StoredReading[]
}

/** Windows from `next` on, as many as make about `readings`. */
export function liveItems(database: Database, next: number, readings: number): Item[] {
  return upTo(windowsIn(database, { first: next, last: Number.MAX_SAFE_INTEGER }), readings)
}

/** Windows and pack runs of a range by age, as many as make about `readings`. */
export function itemsInRange(database: Database, range: Range, readings: number): Item[] {
  const found = [...runsIn(database, range), ...windowsIn(database, range)]
  return upTo(
    found.toSorted((a, b) => a.last - b.last),
    readings,
  )
}

/** What of the items is of these devices' channels; items with nothing of them are left out. */
export function itemsOf(items: readonly Item[], wanted: (channel: number, last: number) => boolean): Item[] {
  return items.flatMap((item) => {
    const readings = item.readings.filter(({ channel }) => wanted(channel, item.last))
    return readings.length === 0 ? [] : [{ ...item, readings }]
  })
}

/** What of the items may leave now: all but what waits because its workspace is over a limit. */
export function itemsNotHeld(
  items: readonly Item[],
  { holds, channels }: { holds: readonly Hold[]; channels: ChannelBook },
): readonly Item[] {
  if (holds.length === 0) return items
  return itemsOf(items, (channel, last) => {
    const device = channels.get(channel)?.device
    return device === undefined || !isHeld(holds, device, last)
  })
}

/** Their readings are in a stored batch now. Windows need no mark: no lane holds their ids any more. */
export function markBatched(database: Database, items: readonly Item[]): void {
  const mark = database.prepare('UPDATE pack_run SET batched = 1 WHERE last = ?')
  for (const { last } of items) mark.run(last)
}

/** At least one item, and no more than the wanted readings after it. */
function upTo(found: readonly Found[], readings: number): Item[] {
  const items: Item[] = []
  let count = 0
  for (const one of found) {
    if (items.length > 0 && count + one.count > readings) break
    count += one.count
    items.push({ last: one.last, readings: one.read() })
  }
  return items
}

function windowsIn(database: Database, { first, last }: Range): Found[] {
  const rows = database
    .prepare('SELECT id, at, count, body FROM window WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?')
    .all(first, last, ROWS_MAX) as WindowRow[]
  return rows.map((row) => ({ last: row.id, count: row.count, read: () => decodeWindow(row) }))
}

function runsIn(database: Database, { first, last }: Range): Found[] {
  const rows = database
    .prepare('SELECT first, last, count FROM pack_run WHERE first BETWEEN ? AND ? ORDER BY first LIMIT ?')
    .all(first, last, ROWS_MAX) as { first: number; last: number; count: number }[]
  return rows.map((row) => ({
    last: row.last,
    count: row.count,
    read: () => decodePacks(database, row.first),
  }))
}
