import type { Database } from 'better-sqlite3'
import { decodeReadingBatch } from '../../cloud-sync/codec/index.ts'
import type { Epoch, StoredReading } from '../../cloud-sync/contract/index.ts'
import {
  type BatchContext,
  BODY_BYTES_MAX,
  encodeBatch,
  type ReadingStream,
  storeReadingBatch,
} from './batches.ts'
import { renumberEvents } from './events.ts'
import { batchesOf, dropBatches } from './outbox-rows.ts'
import { advance, openEpoch, streamState } from './streams.ts'

/** Begins a new epoch of a readings stream; its unacknowledged batches are made again under new numbers. */
export function openReadingEpoch(
  database: Database,
  { stream, context, epoch }: { stream: ReadingStream; context: BatchContext; epoch: Epoch },
): void {
  const unacked = batchesOf(database, stream)
  dropBatches(database, stream)
  openEpoch(database, stream, epoch)
  for (const { body, until } of unacked) {
    storeAnew(database, stream, { readings: decodeReadingBatch(body).readings, until, context })
  }
}

/** The definitions that the new epoch needs again may not fit beside the readings: then these go as several batches. */
function storeAnew(
  database: Database,
  stream: ReadingStream,
  { readings, until, context }: { readings: readonly StoredReading[]; until: number; context: BatchContext },
): void {
  const batch = encodeBatch(database, stream, { readings, context })
  if (batch.body.length <= BODY_BYTES_MAX || readings.length === 1) {
    storeReadingBatch(database, batch, { readings: readings.length, until })
    return
  }
  const half = readings.length >> 1
  for (const part of [readings.slice(0, half), readings.slice(half)]) {
    storeAnew(database, stream, { readings: part, until, context })
  }
}

/** Begins a new epoch of the events; unacknowledged ones are numbered anew. */
export function openEventEpoch(database: Database, epoch: Epoch): void {
  const { acked } = streamState(database, 'evt')
  dropBatches(database, 'evt')
  const { head } = openEpoch(database, 'evt', epoch)
  const next = renumberEvents(database, acked)
  advance(database, 'evt', { next, head })
}
