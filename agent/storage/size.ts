import { statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Database } from 'better-sqlite3'

export interface StoreSize {
  /** Pages in use, bytes. */
  readonly usedBytes: number
  /** The file, bytes: pages that were freed are used again, not given back. */
  readonly fileBytes: number
  readonly walBytes: number
  /** Free on the file system for this user, bytes. */
  readonly freeBytes: number
}

export function sizeOf(database: Database, folder: string): StoreSize {
  const pragma = (name: string): number => Number(database.pragma(name, { simple: true }))
  const pageBytes = pragma('page_size')
  const pages = pragma('page_count')
  const disk = statfsSync(folder)
  return {
    usedBytes: (pages - pragma('freelist_count')) * pageBytes,
    fileBytes: pages * pageBytes,
    walBytes: statSync(join(folder, 'gateway.db-wal'), { throwIfNoEntry: false })?.size ?? 0,
    freeBytes: disk.bavail * disk.bsize,
  }
}
