import { sql } from 'kysely'
import {
  type Ack,
  type Epoch,
  type GatewayId,
  type Hash,
  type Stream,
  ZERO_HASH,
} from '../../../contract/index.ts'
import type { Db } from './open.ts'
import type { StreamRow } from './tables.ts'

/** Names one stream of one gateway's database instance. */
export interface StreamKey {
  readonly gateway: GatewayId
  readonly stream: Stream
  readonly epoch: Epoch
}

/** How far the ledger is in one stream and epoch. */
export interface StreamPosition extends StreamKey {
  readonly parent: Epoch | null
  readonly upTo: number
  readonly head: Hash
  readonly state: StreamRow['state']
}

const positionOf = (row: StreamRow): StreamPosition => ({
  gateway: row.gateway as GatewayId,
  stream: row.stream as Stream,
  epoch: row.epoch as Epoch,
  parent: row.parent as Epoch | null,
  upTo: row.up_to,
  head: row.head as Hash,
  state: row.state,
})

export async function findStream(db: Db, key: StreamKey): Promise<StreamPosition | undefined> {
  const row = await db
    .selectFrom('stream')
    .selectAll()
    .where('gateway', '=', key.gateway)
    .where('stream', '=', key.stream)
    .where('epoch', '=', key.epoch)
    .executeTakeFirst()
  return row === undefined ? undefined : positionOf(row)
}

/** Every stream and epoch of a gateway, oldest first. */
export async function streamsOf(db: Db, gateway: GatewayId): Promise<StreamPosition[]> {
  const rows = await db
    .selectFrom('stream')
    .selectAll()
    .where('gateway', '=', gateway)
    .orderBy('opened_at')
    .orderBy('stream')
    .orderBy('epoch')
    .execute()
  return rows.map(positionOf)
}

/** Opens a stream at nothing; the caller has judged the parent. */
export async function openStream(
  db: Db,
  key: StreamKey,
  { parent, now }: { parent: Epoch | null; now: number },
): Promise<StreamPosition> {
  const { gateway, stream, epoch } = key
  const start = { up_to: 0, head: ZERO_HASH, state: 'open' as const, opened_at: now }
  await db
    .insertInto('stream')
    .values({ gateway, stream, epoch, parent, ...start })
    .execute()
  return { ...key, parent, upTo: 0, head: ZERO_HASH, state: 'open' }
}

/** Moves a stream on; refuses (throws) to move one that is no longer where the caller read it. */
export async function advanceStream(
  db: Db,
  from: StreamPosition,
  to: Pick<Ack, 'upTo' | 'hash'>,
): Promise<void> {
  const done = await db
    .updateTable('stream')
    .set({ up_to: to.upTo, head: to.hash })
    .where('gateway', '=', from.gateway)
    .where('stream', '=', from.stream)
    .where('epoch', '=', from.epoch)
    .where('up_to', '=', from.upTo)
    .executeTakeFirst()
  if (done.numUpdatedRows !== 1n)
    throw new Error(`stream ${from.gateway}/${from.stream} moved under its lock`)
}

export async function forkStream(db: Db, key: StreamKey): Promise<void> {
  await db
    .updateTable('stream')
    .set({ state: 'forked' })
    .where('gateway', '=', key.gateway)
    .where('stream', '=', key.stream)
    .where('epoch', '=', key.epoch)
    .execute()
}

/** Keeps what was refused for the operator: each message once, the newest `keep` of a gateway. */
export async function quarantine(
  db: Db,
  refused: StreamKey & { reason: string; hash: Hash; bytes: Uint8Array; at: number },
  keep: number,
): Promise<void> {
  const { gateway, stream, epoch, reason, hash, bytes, at } = refused
  const row = { hash, gateway, stream, epoch, reason, bytes, received_at: at, repeats: 0 }
  await db
    .insertInto('quarantine')
    .values(row)
    .onConflict((c) => c.column('hash').doUpdateSet({ repeats: sql`quarantine.repeats + 1` }))
    .execute()
  await db
    .deleteFrom('quarantine')
    .where('gateway', '=', gateway)
    .where('hash', 'not in', (q) =>
      q
        .selectFrom('quarantine')
        .select('hash')
        .where('gateway', '=', gateway)
        .orderBy('received_at', 'desc')
        .orderBy('hash')
        .limit(keep),
    )
    .execute()
}

/** What waits for the operator's eyes. */
export async function quarantined(
  db: Db,
  gateway: GatewayId,
): Promise<{ stream: string; epoch: string; reason: string; hash: string; at: number; repeats: number }[]> {
  return db
    .selectFrom('quarantine')
    .select(['stream', 'epoch', 'reason', 'hash', 'received_at as at', 'repeats'])
    .where('gateway', '=', gateway)
    .orderBy('received_at')
    .orderBy('hash')
    .execute()
}
