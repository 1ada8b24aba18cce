import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import type { Kysely, Transaction } from 'kysely'
import { SyncError } from '../../../contract/index.ts'
import { type DatabaseTarget, openRelational, type RelationalDatabase } from '../relational/index.ts'
import { LEDGER_MIGRATIONS } from './migrations.ts'
import { makePartitions, monthAfter, monthOf } from './partitions.ts'
import type { LedgerSchema } from './tables.ts'
import { raiseTurns } from './turns.ts'

/** A cloud that was just killed may take a moment to be gone. */
const LOCK_WAIT_MS = 2_000

/** Anything a query can run on. */
export type Db = Kysely<LedgerSchema> | Transaction<LedgerSchema>

/** The ledger's database on either engine. */
export interface CloudDatabase extends RelationalDatabase<LedgerSchema> {
  /**
   * Called before a transaction that appends at this moment (epoch ms): PostgreSQL's partitions are there then, and its
   * turns have come to this life's first moment.
   */
  readyFor(at: number): Promise<void>
}

/**
 * Opens (and makes) the ledger. A SQLite file is 0600 and for one process only. Throws CLOUD_DATABASE_NEWER without
 * having written a byte where a newer version made it, CLOUD_DATABASE_BUSY where another process has the file open,
 * CLOUD_DATABASE_UNSAFE where commits would not be synced, and CLOUD_DATABASE_FAILED.
 */
export async function openLedger(target: DatabaseTarget): Promise<CloudDatabase> {
  const unlock = target.dialect === 'sqlite' ? lockOf(target.path) : () => undefined
  try {
    const database = await openRelational<LedgerSchema>(target, {
      name: 'ledger',
      migrations: LEDGER_MIGRATIONS,
    })
    return {
      ...database,
      readyFor: target.dialect === 'sqlite' ? () => Promise.resolve() : partitions(database),
      close: async () => {
        await database.close()
        unlock()
      },
    }
  } catch (error) {
    unlock()
    throw error
  }
}

/** This month's and the next one's, looked at once in a life and again where a month has none. */
function partitions(database: RelationalDatabase<LedgerSchema>): (at: number) => Promise<void> {
  const made = new Set<number>()
  let raised = false
  return async (at) => {
    if (!raised) await database.transaction((tx) => raiseTurns(tx, at))
    raised = true
    const month = monthOf(at)
    for (const wanted of [month, monthAfter(month)]) {
      if (made.has(wanted)) continue
      await database.transaction((tx) => makePartitions(tx, wanted))
      made.add(wanted)
    }
  }
}

/** The operating system drops this lock with the process, however that ends. */
function lockOf(path: string): () => void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const lockPath = `${path}.lock`
  closeSync(openSync(lockPath, 'a', 0o600))
  const lock = new BetterSqlite(lockPath, { timeout: LOCK_WAIT_MS })
  try {
    lock.exec('begin exclusive')
    return () => {
      lock.close()
    }
  } catch (cause) {
    lock.close()
    throw new SyncError('CLOUD_DATABASE_BUSY', `${path} is in use`, { cause })
  }
}
