import type { Database } from 'better-sqlite3'
import type { StoredReading } from '../../cloud-sync/contract/index.ts'
import type { ChannelBook } from './channels.ts'
import { itemsInRange, itemsOf } from './reading-items.ts'

/** Readings looked at for one page. */
const PAGE_READINGS = 2000

export interface Page {
  readonly readings: readonly StoredReading[]
  readonly done: number
}

/** Windows and pack runs from one window on, and what of them is wanted, by age. */
export function pageSince(
  database: Database,
  first: number,
  asked: {
    readonly last: number
    readonly wanted: (device: string, window: number) => boolean
    readonly channels: ChannelBook
  },
): Page {
  const { last, wanted, channels } = asked
  const found = itemsInRange(database, { first, last }, PAGE_READINGS)
  const items = itemsOf(found, (channel, window) => {
    const device = channels.get(channel)?.device
    return device !== undefined && wanted(device, window)
  })
  // A run keeps its channels apart.
  const readings = items.flatMap((item) => item.readings.toSorted((a, b) => a.takenAt - b.takenAt))
  return { readings, done: found.at(-1)?.last ?? last }
}
