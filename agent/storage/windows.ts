import type { Database } from 'better-sqlite3'
import { decodeColumns, encodeColumns } from '../../cloud-sync/codec/index.ts'
import type { Resolution, StoredReading } from '../../cloud-sync/contract/index.ts'
import { prepared } from './prepared.ts'

/** Readings in one window row; a larger commit appends several rows. So any row fits any batch. */
export const WINDOW_READINGS_MAX = 1000
/** Bytes of one window row, for readings that do not compress (texts). */
const WINDOW_BYTES_MAX = 24 * 1024

export interface WindowRow {
  readonly id: number
  /** Wall clock of the commit, epoch ms. */
  readonly at: number
  readonly count: number
  readonly body: Uint8Array
}

export type ResolutionOf = (channel: number) => Resolution | null

/** Appends the readings of one commit from this id on; answers the last id used. A row is never changed afterwards. */
export function appendWindows(
  database: Database,
  readings: readonly StoredReading[],
  how: {
    readonly firstId: number
    readonly at: number
    /** Newest window that had been published. */
    readonly published: number
    readonly resolutionOf: ResolutionOf
  },
): number {
  const insert = prepared(
    database,
    'INSERT INTO window (id, at, from_ms, to_ms, count, published, body) VALUES (?, ?, ?, ?, ?, ?, ?)',
  )
  let id = how.firstId
  const append = (part: readonly StoredReading[]): void => {
    const body = encodeColumns(part, how.resolutionOf)
    if (body.length > WINDOW_BYTES_MAX && part.length > 1) {
      const half = part.length >> 1
      append(part.slice(0, half))
      append(part.slice(half))
      return
    }
    const { from, to } = spanOf(part)
    insert.run(id, how.at, from, to, part.length, how.published, body)
    id += 1
  }
  for (let start = 0; start < readings.length; start += WINDOW_READINGS_MAX) {
    append(readings.slice(start, start + WINDOW_READINGS_MAX))
  }
  return id - 1
}

export const decodeWindow = (row: Pick<WindowRow, 'body'>): StoredReading[] =>
  decodeColumns(row.body, WINDOW_READINGS_MAX)

/** Earliest and latest time of taking. */
export function spanOf(readings: readonly StoredReading[]): { from: number; to: number } {
  let from = Number.MAX_SAFE_INTEGER
  let to = Number.MIN_SAFE_INTEGER
  for (const { takenAt } of readings) {
    if (takenAt < from) from = takenAt
    if (takenAt > to) to = takenAt
  }
  return { from, to }
}

/** The highest id ever used, wherever its readings are by now; 0 on a new gateway. */
export function lastWindowId(database: Database): number {
  return prepared(
    database,
    `SELECT max(coalesce((SELECT max(id) FROM window), 0), coalesce((SELECT max(last) FROM pack_run), 0),
                  coalesce((SELECT max(until) FROM outbox), 0), coalesce((SELECT max(last) FROM backfill), 0),
                  coalesce((SELECT value FROM meta WHERE key = 'live_next'), 1) - 1)`,
  )
    .pluck()
    .get() as number
}

/** Windows after an id, oldest first. */
export function windowsAfter(database: Database, id: number, limit: number): WindowRow[] {
  return prepared(database, 'SELECT id, at, count, body FROM window WHERE id > ? ORDER BY id LIMIT ?').all(
    id,
    limit,
  ) as WindowRow[]
}

/** Newest window known to be published; undefined where no window is left (only published ones are packed). */
export const publishedAt = (database: Database): number | undefined =>
  prepared(database, 'SELECT published FROM window ORDER BY id DESC LIMIT 1').pluck().get() as
    | number
    | undefined
