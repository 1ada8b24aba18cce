import type { Database } from 'better-sqlite3'
import { prepared } from '../prepared.ts'

/** Changes kept on top of a snapshot; then the whole is asked for, so that a start reads a bounded number. */
export const CHANGES_MAX = 64

export interface PolicyRows {
  /** As it was sealed. */
  readonly snapshot: Uint8Array
  /** Changes since, oldest first, as they were sealed. */
  readonly changes: readonly Uint8Array[]
}

export function readPolicyRows(database: Database): PolicyRows | undefined {
  const snapshot = prepared(database, 'SELECT bytes FROM policy').pluck().get() as Uint8Array | undefined
  if (snapshot === undefined) return undefined
  const changes = prepared(database, 'SELECT bytes FROM policy_change ORDER BY version').pluck().all()
  return { snapshot, changes: changes as Uint8Array[] }
}

/** In the caller's transaction. */
export function storeSnapshot(
  database: Database,
  { version, keyset, bytes }: { version: number; keyset: number; bytes: Uint8Array },
): void {
  prepared(database, 'INSERT OR REPLACE INTO policy (id, version, keyset, bytes) VALUES (1, ?, ?, ?)').run(
    version,
    keyset,
    bytes,
  )
  prepared(database, 'DELETE FROM policy_change').run()
}

/** In the caller's transaction. */
export function storeChange(database: Database, version: number, bytes: Uint8Array): void {
  prepared(database, 'INSERT INTO policy_change (version, bytes) VALUES (?, ?)').run(version, bytes)
}
