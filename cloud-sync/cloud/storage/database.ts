import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import { Kysely, SqliteDialect, type Transaction } from 'kysely'
import { SyncError } from '../../contract/index.ts'
import { migrate, SCHEMA_VERSION } from './migrations.ts'
import type { Schema } from './schema.ts'

/** Statements kept compiled for each connection. */
const STATEMENTS_KEPT_MAX = 256
/** How long a statement waits for another connection's write, ms. */
const BUSY_WAIT_MS = 5_000
/** A cloud that was just killed may take a moment to be gone. */
const LOCK_WAIT_MS = 2_000
/** SQLite's number for `synchronous=FULL`. */
const SYNCHRONOUS_FULL = 2

/** Anything a query can run on. */
export type Db = Kysely<Schema> | Transaction<Schema>

export interface CloudDatabase {
  /** The one writing connection; Kysely gives it to one transaction at a time. */
  readonly write: Kysely<Schema>
  /** A read-only connection of its own, so that a long query never holds up an acknowledgement. */
  readonly read: Kysely<Schema>
  close(): Promise<void>
}

/**
 * Opens (and makes, 0600) the cloud's SQLite file. Throws CLOUD_DATABASE_NEWER without having written a byte where a
 * newer version made it, CLOUD_DATABASE_BUSY where another process has it open, and CLOUD_DATABASE_UNSAFE where commits would not be synced.
 */
export async function openDatabase(path: string, now: number): Promise<CloudDatabase> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  closeSync(openSync(path, 'a', 0o600))
  const lock = lockOf(path)
  try {
    return await openLocked(path, { now, lock })
  } catch (error) {
    lock.close()
    throw error
  }
}

async function openLocked(
  path: string,
  { now, lock }: { now: number; lock: BetterSqlite.Database },
): Promise<CloudDatabase> {
  const version = versionOf(path)
  if (version > SCHEMA_VERSION) {
    throw new SyncError(
      'CLOUD_DATABASE_NEWER',
      `${path} has version ${version}; this program knows ${SCHEMA_VERSION}`,
    )
  }
  const writer = new BetterSqlite(path, { timeout: BUSY_WAIT_MS })
  try {
    writer.pragma('journal_mode = WAL')
    // The build's default for WAL is NORMAL: a record already acknowledged could vanish at a power cut (metering.md, 4.4).
    writer.pragma('synchronous = FULL')
    writer.pragma('foreign_keys = ON')
    const write = kyselyOn(writer)
    await migrate(write, version, now)
    await write.selectFrom('schema_version').select('version').execute()
    assertSafe(writer, path)
    const reader = new BetterSqlite(path, { readonly: true, timeout: BUSY_WAIT_MS })
    const read = kyselyOn(reader)
    return { write, read, close: () => closeAll(reader, writer, lock) }
  } catch (error) {
    writer.close()
    throw error
  }
}

/** Asked again after the first write: the setting may be lost on the way into WAL. */
export function assertSafe(db: BetterSqlite.Database, path: string): void {
  const synchronous = db.pragma('synchronous', { simple: true })
  const journal = db.pragma('journal_mode', { simple: true })
  if (synchronous !== SYNCHRONOUS_FULL || journal !== 'wal') {
    throw new SyncError(
      'CLOUD_DATABASE_UNSAFE',
      `${path} runs with synchronous=${String(synchronous)}, journal_mode=${String(journal)}`,
    )
  }
}

function versionOf(path: string): number {
  const db = new BetterSqlite(path, { readonly: true, timeout: BUSY_WAIT_MS })
  try {
    const known = db.prepare("select 1 from sqlite_master where name = 'schema_version'").get()
    if (known === undefined) return 0
    const row = db
      .prepare<[], { version: number }>('select max(version) as version from schema_version')
      .get()
    return row?.version ?? 0
  } finally {
    db.close()
  }
}

function kyselyOn(db: BetterSqlite.Database): Kysely<Schema> {
  const kept = new Map<string, BetterSqlite.Statement>()
  const prepare = (sql: string): BetterSqlite.Statement => {
    const known = kept.get(sql)
    if (known !== undefined) return known
    if (kept.size >= STATEMENTS_KEPT_MAX) kept.clear()
    const made = db.prepare(sql)
    kept.set(sql, made)
    return made
  }
  return new Kysely<Schema>({
    dialect: new SqliteDialect({ database: { close: () => db.close(), prepare } }),
  })
}

function closeAll(...databases: readonly BetterSqlite.Database[]): Promise<void> {
  for (const database of databases) database.close()
  return Promise.resolve()
}

/**
 * One process a data folder: each keeps the directory in memory. The operating system drops this lock with the process,
 * however that ends.
 */
function lockOf(path: string): BetterSqlite.Database {
  const lockPath = `${path}.lock`
  closeSync(openSync(lockPath, 'a', 0o600))
  const lock = new BetterSqlite(lockPath, { timeout: LOCK_WAIT_MS })
  try {
    lock.exec('begin exclusive')
    return lock
  } catch (cause) {
    lock.close()
    throw new SyncError('CLOUD_DATABASE_BUSY', `${path} is in use`, { cause })
  }
}
