import type { Database } from 'better-sqlite3'
import {
  encodeEventBatch,
  encodeReadingBatch,
  encodeUsageBatch,
  sha256,
} from '../../cloud-sync/codec/index.ts'
import {
  BATCH_READINGS_MAX,
  BATCH_RECORDS_MAX,
  type GatewayId,
  LINK_PAYLOAD_BYTES_MAX,
  type StoredReading,
} from '../../cloud-sync/contract/index.ts'
import type { ChannelBook } from './channels.ts'
import { eventsFrom } from './events.ts'
import { insertBatch } from './outbox-rows.ts'
import { advance, type StreamState, streamState } from './streams.ts'
import { prepared } from './prepared.ts'

/** Version, key id and signature around the body of a signed message, with room to spare. */
const SIGNED_HEAD_BYTES = 128
export const BODY_BYTES_MAX = LINK_PAYLOAD_BYTES_MAX - SIGNED_HEAD_BYTES
/** A batch of usage or events stops growing here, bytes before packing. */
const PLAIN_BYTES_MAX = 48 * 1024
const BATCH_EVENTS_MAX = 256

export interface BatchContext {
  readonly gateway: GatewayId
  readonly channels: ChannelBook
}

/** A window or a pack run: goes into a batch whole. */
export interface Item {
  /** Id of its last window. */
  readonly last: number
  readonly readings: readonly StoredReading[]
}

export type ReadingStream = 'rd' | 'rd/h'

/**
 * Makes one batch of as many of the items as fit, from the first on, and stores it; answers how many went in.
 * Definitions that no acknowledged batch of this stream and epoch had go along.
 */
export function makeReadingBatch(
  database: Database,
  stream: ReadingStream,
  { items, context }: { items: readonly Item[]; context: BatchContext },
): number {
  let taken = items.length
  for (;;) {
    const part = items.slice(0, taken)
    const readings = part.flatMap((item) => item.readings)
    const batch = encodeBatch(database, stream, { readings, context })
    if ((batch.body.length > BODY_BYTES_MAX || readings.length > BATCH_READINGS_MAX) && taken > 1) {
      taken = taken >> 1
      continue
    }
    storeReadingBatch(database, batch, { readings: readings.length, until: part.at(-1)?.last ?? 0 })
    return taken
  }
}

/** A batch as it will be stored under the stream's next number. */
export function encodeBatch(
  database: Database,
  stream: ReadingStream,
  { readings, context }: { readings: readonly StoredReading[]; context: BatchContext },
): { state: StreamState; defs: number[]; body: Uint8Array } {
  const state = streamState(database, stream)
  const known = new Set(
    prepared(database, 'SELECT no FROM known_def WHERE stream = ?').pluck().all(stream) as number[],
  )
  const used = new Set(readings.map((reading) => reading.channel))
  const defs = [...used].filter((no) => !known.has(no)).sort((a, b) => a - b)
  const { gateway, channels } = context
  const head = { v: 1, gw: gateway, epoch: state.epoch, seq: state.next, prev: state.head } as const
  // Beyond the limit the codec would refuse; the caller halves instead.
  const sent = readings.slice(0, BATCH_READINGS_MAX)
  const body = encodeReadingBatch(
    { ...head, defs: channels.defs(defs), readings: sent },
    channels.resolutionOf,
  )
  return { state, defs, body }
}

export function storeReadingBatch(
  database: Database,
  batch: { state: StreamState; defs: number[]; body: Uint8Array },
  { readings, until }: { readings: number; until: number },
): void {
  const { name: stream, epoch, next } = batch.state
  const hash = sha256(batch.body)
  const row = { stream, epoch, first: next, last: next, hash, readings, until, defs: batch.defs }
  insertBatch(database, { ...row, body: batch.body })
  advance(database, stream, { next: next + 1, head: hash })
}

/** Makes a batch of usage records from a number on, before `end`; false where there are none. */
export function makeUsageBatch(
  database: Database,
  context: BatchContext,
  { first, end }: { first: number; end: number },
): boolean {
  const { epoch } = streamState(database, 'usage')
  const rows = prepared(
    database,
    'SELECT hash, bytes FROM usage_record WHERE epoch = ? AND seq >= ? AND seq < ? ORDER BY seq LIMIT ?',
  ).all(epoch, first, end, BATCH_RECORDS_MAX) as { hash: string; bytes: Uint8Array }[]
  const records = fitting(rows, (row) => row.bytes.length).map((row) => row.bytes)
  if (records.length === 0) return false
  const body = encodeUsageBatch({ gw: context.gateway, epoch, first, records })
  const last = first + records.length - 1
  const hash = sha256(body)
  insertBatch(database, { stream: 'usage', epoch, first, last, hash, readings: 0, until: 0, defs: [], body })
  return true
}

/** The same for events. */
export function makeEventBatch(
  database: Database,
  context: BatchContext,
  { first, end }: { first: number; end: number },
): boolean {
  const { epoch } = streamState(database, 'evt')
  const found = eventsFrom(database, first, Math.min(BATCH_EVENTS_MAX, end - first))
  const events = fitting(found, (event) => JSON.stringify(event).length)
  if (events.length === 0) return false
  const body = encodeEventBatch({ v: 1, gw: context.gateway, epoch, first, events })
  const last = first + events.length - 1
  const hash = sha256(body)
  insertBatch(database, { stream: 'evt', epoch, first, last, hash, readings: 0, until: 0, defs: [], body })
  return true
}

/** The first items that fit one message together; at least one. */
function fitting<T>(items: readonly T[], bytesOf: (item: T) => number): T[] {
  let bytes = 0
  return items.filter((item, index) => {
    bytes += bytesOf(item)
    return index === 0 || bytes <= PLAIN_BYTES_MAX
  })
}
