import type { Database } from 'better-sqlite3'
import type { Tally, Undated } from '../metering/index.ts'
import { readMeta, writeMeta } from './meta.ts'
import { prepared } from './prepared.ts'

const TALLIES = 'day_tallies'

/** What is not settled yet: days that are not over, and records that have no day. */
export interface UsagePast {
  readonly tallies: readonly Tally[]
  readonly undated: readonly Undated[]
}

export function loadPast(database: Database): UsagePast {
  const bodies = prepared(database, 'SELECT body FROM usage_undated ORDER BY id').pluck().all() as string[]
  return {
    tallies: (readMeta(database, TALLIES) ?? []) as Tally[],
    undated: bodies.map((body) => JSON.parse(body) as Undated),
  }
}

/** Writes what differs. Undated records are few at a time: added one by one, settled all at once. */
export function savePast(database: Database, before: UsagePast, after: UsagePast): void {
  if (after.tallies !== before.tallies) writeMeta(database, TALLIES, after.tallies)
  if (after.undated === before.undated) return
  const known = new Set(before.undated)
  const isKept = before.undated.every((one, index) => after.undated[index] === one)
  if (!isKept) prepared(database, 'DELETE FROM usage_undated').run()
  const insert = prepared(database, 'INSERT INTO usage_undated (body) VALUES (?)')
  for (const one of after.undated) if (!isKept || !known.has(one)) insert.run(JSON.stringify(one))
}
