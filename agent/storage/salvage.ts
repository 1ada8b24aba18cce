import Database, { type Database as Connection } from 'better-sqlite3'
import { sha256 } from '../../cloud-sync/codec/index.ts'
import { type Epoch, STREAMS } from '../../cloud-sync/contract/index.ts'
import { openEpoch } from './streams.ts'

/** Tables that are of use only together, in the order in which they are copied. */
const GROUPS = {
  channels: ['channel'],
  policy: ['policy'],
  past: ['usage_undated'],
  usage: ['meta', 'register', 'register_value', 'register_confirmed', 'stream', 'usage_record'],
} as const
type Group = keyof typeof GROUPS

/** What of a damaged database could be read. */
export type Salvaged = Readonly<Record<Group, boolean>>

/** Facts of the old file that mean nothing in the new one: its windows are not in it. */
const STALE_META = ['live_next', 'dropped', 'opened']

/**
 * Saves from a damaged database what bills and decides, as far as it can be read whole: channel numbers, the signed policy
 * (verified again when it is loaded), registers and usage records. Readings stay in the kept file. The streams begin new
 * epochs that name the old ones; unconfirmed usage is issued again by the caller, in an epoch of its own.
 */
export function salvage(path: string, database: Connection, newEpoch: () => Epoch): Salvaged {
  const source = new Database(path, { readonly: true, timeout: 0 })
  try {
    return database.transaction(() => saveAll(source, database, newEpoch))()
  } finally {
    source.close()
  }
}

function saveAll(source: Connection, database: Connection, newEpoch: () => Epoch): Salvaged {
  const saved = {
    channels: isSaved(source, database, 'channels'),
    policy: isSaved(source, database, 'policy'),
    usage: isSaved(source, database, 'usage'),
    past: isSaved(source, database, 'past'),
  }
  if (!saved.usage) return saved
  database
    .prepare(`DELETE FROM meta WHERE key IN (${STALE_META.map(() => '?').join(', ')})`)
    .run(...STALE_META)
  for (const stream of STREAMS) if (stream !== 'usage') openEpoch(database, stream, newEpoch())
  return saved
}

function isSaved(source: Connection, database: Connection, group: Group): boolean {
  try {
    database.transaction(() => {
      for (const table of GROUPS[group]) copyTable(source, database, table)
      if (group === 'usage') checkRecords(database)
    })()
    return true
  } catch {
    // Unreadable, or not what its hashes say: better begun anew than billed wrongly. The kept file can still be examined.
    return false
  }
}

function copyTable(source: Connection, database: Connection, table: string): void {
  database.prepare(`DELETE FROM ${table}`).run()
  const rows = source.prepare(`SELECT * FROM ${table}`).safeIntegers().iterate()
  for (const row of rows as IterableIterator<Record<string, unknown>>) {
    const columns = Object.keys(row)
    const marks = columns.map(() => '?').join(', ')
    database
      .prepare(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${marks})`)
      .run(...Object.values(row))
  }
}

function checkRecords(database: Connection): void {
  const rows = database.prepare('SELECT hash, bytes FROM usage_record').all() as {
    hash: string
    bytes: Uint8Array
  }[]
  if (rows.some(({ hash, bytes }) => sha256(bytes) !== hash))
    throw new Error('a record does not match its hash')
}
