import { join } from 'node:path'
import Database from 'better-sqlite3'
import { AgentError } from '../errors.ts'

/** A held data folder; the kernel lets go of it when the process ends, however it ends. */
export interface FolderLock {
  release(): void
}

/**
 * Takes the data folder for this process. The lock is an exclusive SQLite transaction on a file of its own (`lock`, stays
 * empty), because Node has no flock and the database file itself may be renamed where it is damaged.
 * Throws STORE_LOCKED where another process holds it.
 */
export function lockFolder(folder: string): FolderLock {
  const holder = new Database(join(folder, 'lock'), { timeout: 0 })
  try {
    holder.pragma('journal_mode = MEMORY')
    holder.exec('BEGIN EXCLUSIVE')
  } catch (cause) {
    holder.close()
    throw new AgentError('STORE_LOCKED', `${folder} is in use.`, { cause })
  }
  return { release: () => void holder.close() }
}
