import type { Database } from 'better-sqlite3'
import { readMetaNumber, writeMeta } from './meta.ts'
import { prepared } from './prepared.ts'

/**
 * Which readings still have to be batched. Windows up to `live_next` - 1 are batched unless a row of `backfill` holds
 * them; those from `live_next` on wait for the live lane. All within transactions of the caller.
 */
export const liveNext = (database: Database): number => readMetaNumber(database, 'live_next') ?? 1

export function setLiveNext(database: Database, next: number): void {
  writeMeta(database, 'live_next', next)
}

export interface Range {
  readonly first: number
  readonly last: number
}

/** Hands windows that grew too old for the live lane to the back-fill lane. */
export function moveToBackfill(database: Database, last: number): void {
  const first = liveNext(database)
  if (last < first) return
  const joined = prepared(database, 'UPDATE backfill SET last = ? WHERE last = ?').run(last, first - 1)
  if (joined.changes === 0)
    prepared(database, 'INSERT INTO backfill (first, last) VALUES (?, ?)').run(first, last)
  setLiveNext(database, last + 1)
}

export const firstBackfill = (database: Database): Range | undefined =>
  prepared(database, 'SELECT first, last FROM backfill ORDER BY first LIMIT 1').get() as Range | undefined

/** The newest window the back-fill lane has to send; 0 where there is none. */
export const lastBackfill = (database: Database): number =>
  prepared(database, 'SELECT coalesce(max(last), 0) FROM backfill').pluck().get() as number

/** Everything of the range up to `done` is batched. */
export function shrinkBackfill(database: Database, range: Range, done: number): void {
  prepared(database, 'DELETE FROM backfill WHERE first = ?').run(range.first)
  if (done >= range.last) return
  prepared(database, 'INSERT INTO backfill (first, last) VALUES (?, ?)').run(done + 1, range.last)
}

/** The stretch of window ids around `id` with the same answer to "batched?": where a pack run must end at the latest. */
export function stretchOf(
  database: Database,
  id: number,
): { readonly last: number; readonly batched: boolean } {
  const next = liveNext(database)
  if (id >= next) return { last: Number.MAX_SAFE_INTEGER, batched: false }
  const range = prepared(
    database,
    'SELECT first, last FROM backfill WHERE last >= ? ORDER BY first LIMIT 1',
  ).get(id) as Range | undefined
  if (range === undefined) return { last: next - 1, batched: true }
  return range.first <= id ? { last: range.last, batched: false } : { last: range.first - 1, batched: true }
}
