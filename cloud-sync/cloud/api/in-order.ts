import { BATCH_READINGS_MAX, type StoredReading } from '../../contract/index.ts'
import { decodeColumns } from '../../codec/index.ts'
import { type Db, findChunks, type ReadingChannel, type ReadingChunkRow } from '../storage/index.ts'

/** Chunks fetched at once. */
const PAGE_CHUNKS = 64

/** The place of a reading among all: time first, then chunk and index, so that no two share one. */
export interface Place {
  readonly takenAt: number
  readonly chunk: number
  readonly index: number
}
export interface PlacedReading extends Place {
  readonly channel: ReadingChannel
  readonly reading: StoredReading
}

export interface Span {
  /** Epoch ms, both inclusive. */
  readonly from: number
  readonly to: number
  /** Only what comes after this place. */
  readonly after: Place | undefined
}

const precedes = (a: Place, b: Place): boolean =>
  a.takenAt !== b.takenAt
    ? a.takenAt < b.takenAt
    : a.chunk !== b.chunk
      ? a.chunk < b.chunk
      : a.index < b.index

/** Readings of the channels in order of time. Decodes a chunk only when the order reaches it. */
export async function* readingsInOrder(
  db: Db,
  channels: readonly ReadingChannel[],
  span: Span,
): AsyncGenerator<PlacedReading> {
  const byId = new Map(channels.map((channel) => [channel.id, channel]))
  const from = Math.max(span.from, span.after?.takenAt ?? span.from)
  let waiting: PlacedReading[] = []
  for await (const chunk of chunksFrom(db, { channels: [...byId.keys()], from, to: span.to })) {
    const channel = byId.get(chunk.channel_id)
    if (channel === undefined) continue
    const next = { takenAt: chunk.from_ms, chunk: chunk.id, index: -1 }
    const ready = waiting.findIndex((place) => precedes(next, place))
    yield* waiting.splice(0, ready === -1 ? waiting.length : ready)
    const fresh = placed(chunk, channel).filter(
      (place) =>
        place.takenAt >= span.from &&
        place.takenAt <= span.to &&
        (span.after === undefined || precedes(span.after, place)),
    )
    waiting = merged(waiting, fresh)
  }
  yield* waiting
}

async function* chunksFrom(
  db: Db,
  asked: { channels: readonly number[]; from: number; to: number },
): AsyncGenerator<ReadingChunkRow> {
  let after = { from: Number.MIN_SAFE_INTEGER, id: 0 }
  for (;;) {
    const page = await findChunks(db, { ...asked, after, limit: PAGE_CHUNKS })
    yield* page
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE_CHUNKS) return
    after = { from: last.from_ms, id: last.id }
  }
}

function placed(chunk: ReadingChunkRow, channel: ReadingChannel): PlacedReading[] {
  return decodeColumns(chunk.data, BATCH_READINGS_MAX).map((reading, index) => ({
    takenAt: reading.takenAt,
    chunk: chunk.id,
    index,
    channel,
    reading,
  }))
}

function merged(a: readonly PlacedReading[], b: readonly PlacedReading[]): PlacedReading[] {
  const both: PlacedReading[] = []
  let at = 0
  for (const item of a) {
    for (let next = b[at]; next !== undefined && precedes(next, item); next = b[at]) {
      both.push(next)
      at += 1
    }
    both.push(item)
  }
  return both.concat(b.slice(at))
}
