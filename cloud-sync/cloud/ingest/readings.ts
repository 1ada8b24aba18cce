import { isDeepStrictEqual } from 'node:util'
import type { ChannelDef, StoredReading } from '../../contract/index.ts'
import { encodeColumns } from '../../codec/index.ts'
import {
  batchHash,
  type Db,
  insertBatch,
  insertChannel,
  insertChunks,
  type KnownChannel,
  knownChannels,
  type NewChunk,
  type ReadingStream,
  type StreamPosition,
} from '../storage/index.ts'
import type { Delivery } from './open.ts'
import type { Stored } from './verdict.ts'

type ReadingDelivery = Extract<Delivery, { what: 'rd' | 'rd/h' }>

export async function compareBatch(
  db: Db,
  { gateway, what, batch, hash }: ReadingDelivery,
): Promise<boolean> {
  const stored = await batchHash(
    db,
    { gateway, epoch: batch.epoch as ReadingStream['epoch'], stream: what },
    batch.seq,
  )
  return stored === hash
}

/** Stores one batch: its chain link, new channels, and a columnar chunk a channel. */
export async function postReadings(
  db: Db,
  { delivery, position, now }: { delivery: ReadingDelivery; position: StreamPosition; now: number },
): Promise<Stored> {
  const { batch, body, hash } = delivery
  if (batch.prev !== position.head) return { ok: false, because: 'fork' }
  const byChannel = groupByChannel(batch.readings)
  const channels = await resolveChannels(db, position, { numbers: [...byChannel.keys()], defs: batch.defs })
  // A number that was never announced, or announced as something else, has no owner: it cannot be stored.
  if (channels === undefined) return { ok: false, because: 'conflict' }
  await insertBatch(db, position, {
    seq: batch.seq,
    prev: batch.prev,
    hash,
    readings: batch.readings.length,
    bytes: body.length,
    receivedAt: now,
  })
  const chunks: NewChunk[] = []
  for (const [no, readings] of byChannel) {
    const channel = channels.get(no)
    if (channel !== undefined) chunks.push(chunkOf(channel, batch.seq, readings))
  }
  await insertChunks(db, chunks)
  return { ok: true, head: hash }
}

async function resolveChannels(
  db: Db,
  key: ReadingStream,
  { numbers, defs }: { numbers: readonly number[]; defs: readonly ChannelDef[] },
): Promise<Map<number, KnownChannel> | undefined> {
  const known = await knownChannels(db, key, [...new Set([...numbers, ...defs.map((def) => def.no)])])
  for (const def of defs) {
    const before = known.get(def.no)
    // A definition never changes: a new owner, unit or resolution is a new number.
    if (before !== undefined && !isDeepStrictEqual(before.def, def)) return undefined
    if (before === undefined) known.set(def.no, { id: await insertChannel(db, key, def), def })
  }
  return numbers.every((no) => known.has(no)) ? known : undefined
}

/** Ordered by time inside the chunk; readings of one moment keep their order. */
function chunkOf({ id, def }: KnownChannel, seq: number, readings: readonly StoredReading[]): NewChunk {
  const sorted = readings.toSorted((a, b) => a.takenAt - b.takenAt)
  return {
    channel_id: id,
    seq,
    from_ms: sorted[0]?.takenAt ?? 0,
    to_ms: sorted.at(-1)?.takenAt ?? 0,
    count: sorted.length,
    data: encodeColumns(sorted, () => def.resolution),
  }
}

function groupByChannel(readings: readonly StoredReading[]): Map<number, StoredReading[]> {
  const groups = new Map<number, StoredReading[]>()
  for (const reading of readings) {
    const group = groups.get(reading.channel)
    if (group === undefined) groups.set(reading.channel, [reading])
    else group.push(reading)
  }
  return groups
}
