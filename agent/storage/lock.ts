import { join } from 'node:path'
import Database, { type Database as Connection } from 'better-sqlite3'
import { AgentError } from '../errors.ts'
import { unusable } from '../folder.ts'

/** A held data folder; the kernel lets go of it when the process ends, however it ends. */
export interface FolderLock {
  release(): void
}

/**
 * Takes the data folder for this process. The lock is an exclusive SQLite transaction on a file of its own (`lock`, stays
 * empty), because Node has no flock and the database file itself may be renamed where it is damaged.
 * Throws STORE_LOCKED where another process holds it, STORE_UNUSABLE where it cannot be made.
 */
export function lockFolder(folder: string): FolderLock {
  let holder: Connection | undefined
  try {
    holder = new Database(join(folder, 'lock'), { timeout: 0 })
    holder.pragma('journal_mode = MEMORY')
    holder.exec('BEGIN EXCLUSIVE')
  } catch (cause) {
    holder?.close()
    if (isBusy(cause)) throw new AgentError('STORE_LOCKED', `${folder} is in use.`, { cause })
    throw cause instanceof Database.SqliteError ? unusable(folder, cause) : cause
  }
  const held = holder
  return { release: () => void held.close() }
}

const isBusy = (error: unknown): boolean =>
  error instanceof Database.SqliteError && /^SQLITE_(BUSY|LOCKED)/.test(error.code)
