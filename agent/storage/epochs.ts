import type { Database } from 'better-sqlite3'
import { decodeReadingBatch } from '../../cloud-sync/codec/index.ts'
import type { Epoch } from '../../cloud-sync/contract/index.ts'
import { type BatchContext, encodeBatch, type ReadingStream, storeReadingBatch } from './batches.ts'
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
  for (const { body, readings: count, until } of unacked) {
    const { readings } = decodeReadingBatch(body)
    storeReadingBatch(database, encodeBatch(database, stream, { readings, context }), {
      readings: count,
      until,
    })
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
