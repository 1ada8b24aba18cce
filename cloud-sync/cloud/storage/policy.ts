import type { GatewayId, Hash } from '../../contract/index.ts'
import type { Db } from './database.ts'

/** One fact of the directory, as it was decided. */
export interface LoggedEntry {
  readonly seq: number
  readonly at: number
  readonly actor: string
  readonly kind: string
  readonly body: string
}

/** A snapshot as sealed once; the same version always has these bytes. */
export interface StoredSnapshot {
  readonly version: number
  readonly hash: Hash
  readonly content: string
  readonly message: Uint8Array
}

export async function appendEntry(db: Db, entry: Omit<LoggedEntry, 'seq'>): Promise<void> {
  await db.insertInto('policy_entry').values(entry).execute()
}

export async function entriesAfter(db: Db, seq: number): Promise<LoggedEntry[]> {
  return db.selectFrom('policy_entry').selectAll().where('seq', '>', seq).orderBy('seq').execute()
}

export async function newestSnapshot(db: Db, gateway: GatewayId): Promise<StoredSnapshot | undefined> {
  const row = await db
    .selectFrom('snapshot')
    .select(['version', 'hash', 'content', 'message'])
    .where('gateway', '=', gateway)
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row === undefined ? undefined : { ...row, hash: row.hash as Hash }
}

export async function insertSnapshot(
  db: Db,
  row: StoredSnapshot & { gateway: GatewayId; at: number },
): Promise<void> {
  await db.insertInto('snapshot').values(row).execute()
}
