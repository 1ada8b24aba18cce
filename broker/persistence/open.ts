import { closeSync, existsSync, mkdirSync, openSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import Database, { type Database as Connection } from 'better-sqlite3'
import { BrokerError } from '../errors.ts'
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
  /** Commits what waits, closes the file and lets go of the folder. Throws where the commit fails. Safe to call twice. */
  close(): void
}

/**
 * Opens (or makes) `broker.db` in this folder: WAL, fsync at every commit, one process only. `:memory:` keeps everything in
 * memory, with the same code. A damaged file is renamed, never deleted, and a new one begun. Throws BROKER_STORE_LOCKED,
 * BROKER_STORE_NEWER (nothing is written), BROKER_STORE_FULL, BROKER_STORE_UNSAFE or BROKER_STORE_FAILED.
 */
export function openBrokerStorage(folder: string, options: BrokerStorageOptions): OpenedBrokerStorage {
  if (folder === ':memory:') {
    const database = new Database(':memory:')
    migrateBroker(database)
    return storageOf(database, options, { damaged: null, release: () => undefined })
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const lock = lockFolder(folder)
  const release = (): void => void lock.close()
  try {
    const { database, damaged } = openOrReplace(folder)
    return storageOf(database, options, { damaged, release })
  } catch (error) {
    release()
    throw told(error, folder)
  }
}

function storageOf(
  database: Connection,
  options: BrokerStorageOptions,
  { damaged, release }: { damaged: string | null; release: () => void },
): OpenedBrokerStorage {
  const writer = new GroupCommit({ database, ...options })
  const close = (): void => {
    if (!database.open) return
    try {
      writer.stop()
    } finally {
      database.close()
      release()
    }
  }
  return { database, writer, damaged, close }
}

/** An exclusive transaction on a file of its own, because the database file may be renamed; the kernel ends it with us. */
function lockFolder(folder: string): Connection {
  const holder = new Database(join(folder, 'lock'), { timeout: 0 })
  try {
    holder.pragma('journal_mode = MEMORY')
    holder.exec('BEGIN EXCLUSIVE')
    return holder
  } catch (cause) {
    holder.close()
    throw new BrokerError('BROKER_STORE_LOCKED', `${folder} is in use.`, { cause })
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

function told(error: unknown, folder: string): unknown {
  if (!(error instanceof Database.SqliteError)) return error
  if (error.code === 'SQLITE_FULL') {
    return new BrokerError('BROKER_STORE_FULL', `${folder} has no room.`, { cause: error })
  }
  return new BrokerError('BROKER_STORE_FAILED', `${folder} cannot be opened: ${error.code}.`, {
    cause: error,
  })
}
