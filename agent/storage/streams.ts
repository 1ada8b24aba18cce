import type { Database } from 'better-sqlite3'
import type { Epoch, GatewayStatus, Hash, Stream } from '../../cloud-sync/contract/index.ts'
import { STREAMS, ZERO_HASH } from '../../cloud-sync/contract/index.ts'
import { prepared } from './prepared.ts'

/** Where a stream stands. Read from the database each time, so memory and disk cannot differ. */
export interface StreamState {
  readonly name: Stream
  readonly epoch: Epoch
  /** Epochs of this stream before this one. */
  readonly generation: number
  readonly parent: Epoch | null
  /** The number the next item gets; the first is 1. */
  readonly next: number
  /** Everything up to here is in the ledger. */
  readonly acked: number
  /** Hash of the last item made. */
  readonly head: Hash
}

/** Makes the four streams of a new database, all in one fresh epoch. */
export function beginStreams(database: Database, epoch: Epoch): void {
  const insert = prepared(
    database,
    `INSERT OR IGNORE INTO stream (name, epoch, generation, parent, next, acked, head) VALUES (?, ?, 0, NULL, 1, 0, ?)`,
  )
  for (const name of STREAMS) insert.run(name, epoch, ZERO_HASH)
}

export function streamState(database: Database, name: Stream): StreamState {
  const row = prepared(database, 'SELECT * FROM stream WHERE name = ?').get(name) as StreamState | undefined
  if (row === undefined) throw new Error(`the stream ${name} was not begun`)
  return row
}

/** After one or more items were made. */
export function advance(database: Database, name: Stream, to: { next: number; head: Hash }): void {
  prepared(database, 'UPDATE stream SET next = ?, head = ? WHERE name = ?').run(to.next, to.head, name)
}

export function setAcked(database: Database, name: Stream, acked: number): void {
  prepared(database, 'UPDATE stream SET acked = ? WHERE name = ?').run(acked, name)
}

/** Leaves the epoch for a fresh one that names it as its parent; numbers begin at 1 again. */
export function openEpoch(database: Database, name: Stream, epoch: Epoch): StreamState {
  prepared(
    database,
    `UPDATE stream SET parent = epoch, epoch = ?, generation = generation + 1, next = 1, acked = 0, head = ?
       WHERE name = ?`,
  ).run(epoch, ZERO_HASH, name)
  prepared(database, 'DELETE FROM known_def WHERE stream = ?').run(name)
  return streamState(database, name)
}

/** For `up/status`. */
export function streamsStatus(database: Database): NonNullable<GatewayStatus['streams']> {
  const status: NonNullable<GatewayStatus['streams']> = {}
  for (const name of STREAMS) {
    const { epoch, next, acked, parent } = streamState(database, name)
    status[name] = { epoch, next, oldest: acked + 1, parent, ...(name === 'usage' ? keptOf(database) : {}) }
  }
  return status
}

/** The first record of the epoch that is still here; the next one where none is. */
export function firstUsageKept(database: Database): number {
  const { epoch, next } = streamState(database, 'usage')
  const first = prepared(database, 'SELECT min(seq) FROM usage_record WHERE epoch = ?').pluck().get(epoch)
  return (first as number | null) ?? next
}

function keptOf(database: Database): { readonly kept?: number } {
  const kept = firstUsageKept(database)
  return kept > 1 ? { kept } : {}
}
