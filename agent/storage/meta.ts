import type { Database } from 'better-sqlite3'
import { prepared } from './prepared.ts'

/** Small facts of the store itself, one row each; values are JSON. */
export function readMeta(database: Database, key: string): unknown {
  const row = prepared(database, 'SELECT value FROM meta WHERE key = ?').get(key) as
    | { value: string }
    | undefined
  return row === undefined ? undefined : (JSON.parse(row.value) as unknown)
}

export function writeMeta(database: Database, key: string, value: unknown): void {
  prepared(database, 'INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)').run(key, JSON.stringify(value))
}

export const readMetaNumber = (database: Database, key: string): number | null => {
  const value = readMeta(database, key)
  return typeof value === 'number' ? value : null
}
