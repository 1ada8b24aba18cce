import { closeSync, existsSync, openSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import Database, { type Database as Connection } from 'better-sqlite3'
import { BrokerError } from '../errors.ts'
import { unusable, usableFolder } from './folder.ts'
import { GroupCommit } from './group-commit.ts'
import type { BrokerStorage } from './message-store.ts'
import { migrateBroker } from './schema.ts'

const FILE = 'broker.db'
const PAGE_BYTES = 4096
/** The WAL is checkpointed at this many pages (2 MiB): short enough that no checkpoint blocks for long. */
const CHECKPOINT_PAGES = 512
/** A WAL that once grew larger is cut back to this. */
const WAL_BYTES_MAX = 8 * 1024 * 1024
const CACHE_KIB = 2 * 1024
const SYNCHRONOUS_FULL = 2
/** Of SQLite and of the system: this user, or nobody, may write there. */
const UNUSABLE = /^(SQLITE_(CANTOPEN|READONLY|PERM|AUTH)|EACCES|EPERM|EROFS|EISDIR|ENOTDIR|ENOENT)/

export interface BrokerStorageOptions {
  /** Called once where the file cannot be used any more: everything is refused from then on. */
  onDamage(error: unknown): void
  /** Called after each commit that failed otherwise (the disk is full) and is tried again. */
  onRefused?(error: unknown): void
}

/** A database of the broker's own. */
export interface OpenedBrokerStorage extends BrokerStorage {
  readonly writer: GroupCommit
  /** Name the damaged file was given, where there was one. */
  readonly damaged: string | null
  /**
   * Commits what waits, closes the file and lets go of the folder. Throws BROKER_STORE_FULL or BROKER_STORE_FAILED where
   * that commit fails: what nobody was told is stored may be lost. Safe to call twice.
   */
  close(): void
}

/**
 * Opens (or makes) `broker.db` in this folder: WAL, fsync at every commit, one process only. `:memory:` keeps everything in
 * memory, with the same code. A damaged file is renamed, never deleted, and a new one begun. Throws BROKER_STORE_LOCKED,
 * BROKER_STORE_NEWER (nothing is written), BROKER_STORE_FULL, BROKER_STORE_UNUSABLE, BROKER_STORE_UNSAFE or
 * BROKER_STORE_FAILED.
 */
export function openBrokerStorage(folder: string, options: BrokerStorageOptions): OpenedBrokerStorage {
  if (folder === ':memory:') {
    const database = new Database(':memory:')
    migrateBroker(database)
    return storageOf(database, options, { folder, damaged: null, release: () => undefined })
  }
  usableFolder(folder)
  const lock = lockFolder(folder)
  const release = (): void => void lock.close()
  try {
    const { database, damaged } = openOrReplace(folder)
    return storageOf(database, options, { folder, damaged, release })
  } catch (error) {
    release()
    throw told(error, folder, 'opened')
  }
}

function storageOf(
  database: Connection,
  options: BrokerStorageOptions,
  { folder, damaged, release }: { folder: string; damaged: string | null; release: () => void },
): OpenedBrokerStorage {
  const writer = new GroupCommit({ database, ...options })
  const close = (): void => {
    if (!database.open) return
    try {
      writer.stop()
    } catch (error) {
      throw told(error, folder, 'written')
    } finally {
      database.close()
      release()
    }
  }
  return { database, writer, damaged, close }
}

/** An exclusive transaction on a file of its own, because the database file may be renamed; the kernel ends it with us. */
function lockFolder(folder: string): Connection {
  let holder: Connection | undefined
  try {
    holder = new Database(join(folder, 'lock'), { timeout: 0 })
    holder.pragma('journal_mode = MEMORY')
    holder.exec('BEGIN EXCLUSIVE')
    return holder
  } catch (cause) {
    holder?.close()
    if (isBusy(cause)) throw new BrokerError('BROKER_STORE_LOCKED', `${folder} is in use.`, { cause })
    throw told(cause, folder, 'opened')
  }
}

function openOrReplace(folder: string): { database: Connection; damaged: string | null } {
  try {
    return { database: connect(folder), damaged: null }
  } catch (error) {
    if (!isCorrupt(error)) throw error
    const damaged = quarantine(folder)
    return { database: connect(folder), damaged }
  }
}

function connect(folder: string): Connection {
  const path = join(folder, FILE)
  // SQLite gives the -wal file the mode of the database file, so the mode is set before the first open.
  closeSync(openSync(path, 'a', 0o600))
  const database = new Database(path, { timeout: 0 })
  try {
    database.pragma(`page_size = ${PAGE_BYTES}`)
    // Before WAL: then no -shm is mapped, which kills the process with SIGBUS on some full disks.
    database.pragma('locking_mode = EXCLUSIVE')
    database.pragma('journal_mode = WAL')
    database.pragma('synchronous = FULL')
    database.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
    database.pragma(`journal_size_limit = ${WAL_BYTES_MAX}`)
    database.pragma(`cache_size = -${CACHE_KIB}`)
    database.pragma('temp_store = MEMORY')
    migrateBroker(database)
    assertDurable(database)
    if (database.pragma('quick_check(1)', { simple: true }) !== 'ok') {
      throw new Database.SqliteError(`${FILE} is damaged`, 'SQLITE_CORRUPT')
    }
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** better-sqlite3's default in WAL mode is NORMAL and shows only after the first write: reading it earlier lies. */
function assertDurable(database: Connection): void {
  database.prepare(`INSERT OR REPLACE INTO broker_meta (key, value) VALUES ('opened', 1)`).run()
  const synchronous = database.pragma('synchronous', { simple: true })
  if (synchronous !== SYNCHRONOUS_FULL) {
    throw new BrokerError('BROKER_STORE_UNSAFE', `synchronous is ${String(synchronous)}.`)
  }
}

const isCorrupt = (error: unknown): boolean =>
  error instanceof Database.SqliteError && /^SQLITE_(CORRUPT|NOTADB)/.test(error.code)

/** Renames the database and its WAL so that they still open together; answers the new name. */
function quarantine(folder: string): string {
  let number = 1
  while (existsSync(join(folder, `damaged-${number}.db`))) number += 1
  const name = `damaged-${number}.db`
  if (existsSync(join(folder, `${FILE}-wal`))) {
    renameSync(join(folder, `${FILE}-wal`), join(folder, `${name}-wal`))
  }
  renameSync(join(folder, FILE), join(folder, name))
  return name
}

const isBusy = (error: unknown): boolean =>
  error instanceof Database.SqliteError && /^SQLITE_(BUSY|LOCKED)/.test(error.code)

function told(error: unknown, folder: string, what: 'opened' | 'written'): unknown {
  if (error instanceof BrokerError || !(error instanceof Error && 'code' in error)) return error
  const code = String(error.code)
  if (code === 'SQLITE_FULL' || code === 'ENOSPC')
    return new BrokerError('BROKER_STORE_FULL', `${folder} has no room.`, { cause: error })
  if (UNUSABLE.test(code)) return unusable(folder, error)
  return new BrokerError('BROKER_STORE_FAILED', `${folder} cannot be ${what}: ${code}.`, { cause: error })
}
