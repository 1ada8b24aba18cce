import { ChannelDef, type Epoch, type GatewayId, type Hash } from '../../../contract/index.ts'
import type { Db } from './open.ts'
import type { NewChunk, ReadingChannelRow, ReadingChunkRow } from './tables.ts'

/** Channels in one question: each is a parameter, and SQLite takes 32,766. */
export const CHANNELS_ASKED_MAX = 20_000
/** Rows in one INSERT. */
const INSERT_ROWS_MAX = 500

/** Names the numbering of channels: each stream and epoch announces its own. */
export interface ReadingStream {
  readonly gateway: GatewayId
  readonly epoch: Epoch
  readonly stream: string
}

export interface KnownChannel {
  readonly id: number
  readonly def: ChannelDef
}

export interface StoredBatchRow {
  readonly seq: number
  readonly prev: string
  readonly hash: string
  readonly readings: number
  readonly bytes: number
  readonly receivedAt: number
}

/** A channel with the gateway it came through. */
export interface ReadingChannel extends KnownChannel {
  readonly gateway: GatewayId
  readonly epoch: Epoch
  readonly stream: string
}

export async function batchHash(db: Db, key: ReadingStream, seq: number): Promise<Hash | undefined> {
  const row = await db
    .selectFrom('reading_batch')
    .select('hash')
    .where('gateway', '=', key.gateway)
    .where('epoch', '=', key.epoch)
    .where('stream', '=', key.stream)
    .where('seq', '=', seq)
    .executeTakeFirst()
  return row?.hash as Hash | undefined
}

/** Appends; a number that is there already is an error. */
export async function insertBatch(db: Db, key: ReadingStream, batch: StoredBatchRow): Promise<void> {
  const { receivedAt, ...rest } = batch
  const { gateway, epoch, stream } = key
  await db
    .insertInto('reading_batch')
    .values({ gateway, epoch, stream, ...rest, received_at: receivedAt })
    .execute()
}

/** The channels of these numbers that were announced before. */
export async function knownChannels(
  db: Db,
  key: ReadingStream,
  numbers: readonly number[],
): Promise<Map<number, KnownChannel>> {
  const known = new Map<number, KnownChannel>()
  for (let at = 0; at < numbers.length; at += INSERT_ROWS_MAX) {
    const rows = await db
      .selectFrom('reading_channel')
      .selectAll()
      .where('gateway', '=', key.gateway)
      .where('epoch', '=', key.epoch)
      .where('stream', '=', key.stream)
      .where('no', 'in', numbers.slice(at, at + INSERT_ROWS_MAX))
      .execute()
    for (const row of rows) known.set(row.no, { id: row.id, def: defOf(row) })
  }
  return known
}

/** Returns the row id. */
export async function insertChannel(db: Db, key: ReadingStream, def: ChannelDef): Promise<number> {
  const { ownerEpoch, resolution, derived, ...same } = def
  const { gateway, epoch, stream } = key
  const row = await db
    .insertInto('reading_channel')
    .values({
      gateway,
      epoch,
      stream,
      ...same,
      resolution: resolution === null ? null : JSON.stringify(resolution),
      derived: derived ? 1 : 0,
      owner_epoch: ownerEpoch,
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  return row.id
}

export async function insertChunks(db: Db, chunks: readonly NewChunk[]): Promise<void> {
  for (let at = 0; at < chunks.length; at += INSERT_ROWS_MAX) {
    await db
      .insertInto('reading_chunk')
      .values(chunks.slice(at, at + INSERT_ROWS_MAX))
      .execute()
  }
}

/** Channels an organisation could ask for: all with one of these owners, narrowed by names. */
export async function findChannels(
  db: Db,
  asked: { gateway?: string; orgs?: readonly string[]; device?: string; sensor?: string; channel?: string },
): Promise<ReadingChannel[]> {
  let query = db.selectFrom('reading_channel').selectAll()
  if (asked.orgs !== undefined) query = query.where('org', 'in', asked.orgs)
  if (asked.gateway !== undefined) query = query.where('gateway', '=', asked.gateway)
  if (asked.device !== undefined) query = query.where('device', '=', asked.device)
  if (asked.sensor !== undefined) query = query.where('sensor', '=', asked.sensor)
  if (asked.channel !== undefined) query = query.where('channel', '=', asked.channel)
  const rows = await query.orderBy('id').execute()
  return rows.map((row) => ({
    id: row.id,
    gateway: row.gateway as GatewayId,
    epoch: row.epoch as Epoch,
    stream: row.stream,
    def: defOf(row),
  }))
}

/** Chunks of the channels (at most CHANNELS_ASKED_MAX) that touch [from, to], by their first reading's time; after the given place, at most `limit`. */
export async function findChunks(
  db: Db,
  asked: {
    channels: readonly number[]
    from: number
    to: number
    after: { from: number; id: number }
    limit: number
  },
): Promise<ReadingChunkRow[]> {
  const { channels, from, to, after, limit } = asked
  return db
    .selectFrom('reading_chunk')
    .selectAll()
    .where('channel_id', 'in', channels)
    .where('to_ms', '>=', from)
    .where('from_ms', '<=', to)
    .where((eb) =>
      eb.or([
        eb('from_ms', '>', after.from),
        eb.and([eb('from_ms', '=', after.from), eb('id', '>', after.id)]),
      ]),
    )
    .orderBy('from_ms')
    .orderBy('id')
    .limit(limit)
    .execute()
}

/** Readings and batches stored for a gateway. */
export async function readingCounts(
  db: Db,
  gateway: GatewayId,
): Promise<{ stream: string; epoch: string; batches: number; readings: number; bytes: number }[]> {
  const rows = await db
    .selectFrom('reading_batch')
    .select(['stream', 'epoch'])
    .select((eb) => [
      eb.fn.countAll<number>().as('batches'),
      // PostgreSQL's sums are texts here: they could be beyond what a number holds.
      eb.fn.sum<number | string>('readings').as('readings'),
      eb.fn.sum<number | string>('bytes').as('bytes'),
    ])
    .where('gateway', '=', gateway)
    .groupBy(['stream', 'epoch'])
    .orderBy('stream')
    .orderBy('epoch')
    .execute()
  return rows.map((row) => ({ ...row, readings: Number(row.readings), bytes: Number(row.bytes) }))
}

/** Every batch of a stream by sequence number, with how many readings its chunks really hold. */
export async function* batchesOf(
  db: Db,
  key: ReadingStream,
): AsyncGenerator<{ seq: number; prev: string; hash: string; readings: number; stored: number }> {
  for (let after = 0; ; ) {
    const page = await db
      .selectFrom('reading_batch as b')
      .select(['b.seq', 'b.prev', 'b.hash', 'b.readings'])
      .select((eb) =>
        eb.fn
          .coalesce(
            eb
              .selectFrom('reading_channel as c')
              .innerJoin('reading_chunk as k', 'k.channel_id', 'c.id')
              .select((inner) => inner.fn.sum<number | string>('k.count').as('stored'))
              .whereRef('c.gateway', '=', 'b.gateway')
              .whereRef('c.epoch', '=', 'b.epoch')
              .whereRef('c.stream', '=', 'b.stream')
              .whereRef('k.seq', '=', 'b.seq'),
            eb.lit(0),
          )
          .as('stored'),
      )
      .where('b.gateway', '=', key.gateway)
      .where('b.epoch', '=', key.epoch)
      .where('b.stream', '=', key.stream)
      .where('b.seq', '>', after)
      .orderBy('b.seq')
      .limit(INSERT_ROWS_MAX)
      .execute()
    for (const batch of page) yield { ...batch, stored: Number(batch.stored) }
    const last = page.at(-1)
    if (last === undefined) return
    after = last.seq
  }
}

/** Every chunk of a channel by sequence number, page by page. */
export async function* chunksOf(db: Db, channel: number): AsyncGenerator<ReadingChunkRow> {
  for (let after = 0; ; ) {
    const page = await db
      .selectFrom('reading_chunk')
      .selectAll()
      .where('channel_id', '=', channel)
      .where('id', '>', after)
      .orderBy('id')
      .limit(INSERT_ROWS_MAX)
      .execute()
    yield* page
    const last = page.at(-1)
    if (last === undefined) return
    after = last.id
  }
}

function defOf(row: ReadingChannelRow): ChannelDef {
  return ChannelDef.parse({
    no: row.no,
    device: row.device,
    sensor: row.sensor,
    channel: row.channel,
    unit: row.unit,
    resolution: row.resolution === null ? null : (JSON.parse(row.resolution) as unknown),
    derived: row.derived === 1,
    org: row.org,
    ownerEpoch: row.owner_epoch,
  })
}
