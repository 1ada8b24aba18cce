import { closeSync, existsSync, openSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database, { type Database as Connection } from 'better-sqlite3'
import { AgentError } from '../errors.ts'
import { usableFolder } from '../folder.ts'
import { BALLAST_BYTES, Ballast } from './ballast.ts'
import { type FolderLock, lockFolder } from './lock.ts'
import { MIGRATIONS, migrate, schemaVersion } from './schema.ts'

const FILE = 'gateway.db'
/** Left by a process that saw an I/O error; the next open then checks the whole file. */
const SUSPECT = 'suspect'
const PAGE_BYTES = 4096
/** The WAL is checkpointed at this many pages (2 MiB): short enough that no checkpoint blocks for long. */
const CHECKPOINT_PAGES = 512
/** A WAL that once grew larger is cut back to this. */
const WAL_BYTES_MAX = 8 * 1024 * 1024
const SYNCHRONOUS_FULL = 2
const FILE_TROUBLE = /^SQLITE_(FULL|IOERR|CORRUPT|NOTADB|READONLY|CANTOPEN|NOMEM|BUSY|LOCKED)/
const CACHE_KIB = 2 * 1024
/** Offset of `user_version` in the header of a SQLite file, big endian. */
const VERSION_OFFSET = 60

export interface OpenedDatabase {
  readonly connection: Connection
  readonly lock: FolderLock
  /** Name the damaged file was given, where there was one. */
  readonly damaged: string | null
}

/**
 * Opens (or makes) the database of a data folder: WAL, fsync at every commit, one process only, newest schema.
 * Throws STORE_UNUSABLE, STORE_LOCKED, STORE_NEWER (nothing written), STORE_UNSAFE or STORE_FAILED. A damaged file is renamed, never
 * deleted, and a new one begun.
 */
export function openDatabase(folder: string, ballastBytes: number = BALLAST_BYTES): OpenedDatabase {
  usableFolder(folder)
  const lock = lockFolder(folder)
  try {
    refuseNewer(headerVersion(join(folder, FILE)))
    const damaged = checkSuspect(folder)
    const opened = openOrReplace(folder, new Ballast(folder, ballastBytes))
    return { connection: opened.connection, lock, damaged: damaged ?? opened.damaged }
  } catch (error) {
    lock.release()
    if (isFull(error)) throw new AgentError('STORE_FULL', `${folder} has no room.`, { cause: error })
    throw error instanceof Database.SqliteError
      ? new AgentError('STORE_FAILED', `${folder} cannot be opened: ${error.code}.`, { cause: error })
      : error
  }
}

/** Marks the file for a whole check at the next open; best effort, the disk may be the reason. */
export function markSuspect(folder: string, cause: string): boolean {
  try {
    writeFileSync(join(folder, SUSPECT), `${cause}\n`, { mode: 0o600 })
    return true
  } catch {
    return false
  }
}

/** True for errors after which the connection must not be used again (reliability.md 0.9). */
export const isDamage = (error: unknown): boolean =>
  error instanceof Database.SqliteError && /^SQLITE_(IOERR|CORRUPT|NOTADB)/.test(error.code)

/** True where the file could not be written or read, whatever the statement: it concerns the whole transaction. */
export const isFileTrouble = (error: unknown): boolean =>
  error instanceof Database.SqliteError && FILE_TROUBLE.test(error.code)

const isFull = (error: unknown): boolean =>
  error instanceof Database.SqliteError && error.code === 'SQLITE_FULL'

const isCorrupt = (error: unknown): boolean =>
  error instanceof Database.SqliteError && /^SQLITE_(CORRUPT|NOTADB)/.test(error.code)

function openOrReplace(folder: string, ballast: Ballast): { connection: Connection; damaged: string | null } {
  try {
    return { connection: connect(folder), damaged: null }
  } catch (error) {
    if (isFull(error) && ballast.isThere()) {
      // Even the first write finds no room; this is what the ballast is for.
      ballast.throwOff()
      return openOrReplace(folder, ballast)
    }
    if (!isCorrupt(error)) throw error
    const damaged = quarantine(folder)
    return { connection: connect(folder), damaged }
  }
}

function connect(folder: string): Connection {
  const path = join(folder, FILE)
  // SQLite gives the -wal file the mode of the database file, so the mode is set before the first open.
  closeSync(openSync(path, 'a', 0o600))
  const connection = new Database(path, { timeout: 0 })
  try {
    connection.pragma(`page_size = ${PAGE_BYTES}`)
    // Before WAL: then no -shm is mapped, which kills the process with SIGBUS on some full disks (reliability.md 0.8).
    connection.pragma('locking_mode = EXCLUSIVE')
    connection.pragma('journal_mode = WAL')
    connection.pragma('synchronous = FULL')
    connection.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
    connection.pragma(`journal_size_limit = ${WAL_BYTES_MAX}`)
    connection.pragma(`cache_size = -${CACHE_KIB}`)
    connection.pragma('temp_store = MEMORY')
    refuseNewer(schemaVersion(connection))
    migrate(connection)
    assertDurable(connection)
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

/** better-sqlite3's WAL default is NORMAL and shows only after the first write: reading it earlier lies (0.1). */
function assertDurable(connection: Connection): void {
  connection.prepare(`INSERT OR REPLACE INTO meta (key, value) VALUES ('opened', 1)`).run()
  const synchronous = connection.pragma('synchronous', { simple: true })
  if (synchronous !== SYNCHRONOUS_FULL) {
    throw new AgentError('STORE_UNSAFE', `synchronous is ${String(synchronous)}.`)
  }
}

function refuseNewer(version: number): void {
  if (version <= MIGRATIONS.length) return
  throw new AgentError('STORE_NEWER', `The database is of version ${version}, this is ${MIGRATIONS.length}.`)
}

/** From the file's own bytes: a newer file is refused before anything could write to it. 0 where there is none. */
function headerVersion(path: string): number {
  if (!existsSync(path)) return 0
  const bytes = Buffer.alloc(4)
  const file = openSync(path, 'r')
  try {
    const read = readSync(file, bytes, { position: VERSION_OFFSET })
    const text = Buffer.alloc(15)
    readSync(file, text, { position: 0 })
    return read === 4 && text.toString('latin1') === 'SQLite format 3' ? bytes.readUInt32BE() : 0
  } finally {
    closeSync(file)
  }
}

function checkSuspect(folder: string): string | null {
  if (!existsSync(join(folder, SUSPECT))) return null
  const damaged = isWhole(join(folder, FILE)) ? null : quarantine(folder)
  rmSync(join(folder, SUSPECT), { force: true })
  return damaged
}

function isWhole(path: string): boolean {
  if (!existsSync(path)) return true
  const connection = new Database(path, { timeout: 0 })
  try {
    connection.pragma('locking_mode = EXCLUSIVE')
    return connection.pragma('integrity_check', { simple: true }) === 'ok'
  } catch (error) {
    if (isCorrupt(error)) return false
    throw error
  } finally {
    connection.close()
  }
}

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
