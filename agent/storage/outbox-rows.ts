import type { Database } from 'better-sqlite3'
import type { Epoch, Hash, Stream } from '../../cloud-sync/contract/index.ts'
import type { StoredBatch } from '../../cloud-sync/gateway/index.ts'
import { prepared } from './prepared.ts'

export interface OutboxRow extends StoredBatch {
  readonly hash: Hash
  readonly readings: number
  /** The last window in it; 0 for other streams. */
  readonly until: number
  /** Numbers of the channels defined in it. */
  readonly defs: readonly number[]
}

interface Raw extends Omit<OutboxRow, 'defs'> {
  readonly defs: string
}

const parse = ({ defs, ...row }: Raw): OutboxRow => ({ ...row, defs: JSON.parse(defs) as number[] })

/** Stores a made batch; from here on its bytes stay what they are until it is acknowledged. */
export function insertBatch(database: Database, row: OutboxRow): void {
  const { stream, first, last, epoch, hash, readings, until, defs, body } = row
  prepared(
    database,
    `INSERT INTO outbox (stream, first, last, epoch, hash, readings, until, defs, body)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(stream, first, last, epoch, hash, readings, until, JSON.stringify(defs), body)
}

export function batchAfter(database: Database, stream: Stream, after: number): StoredBatch | undefined {
  const row = prepared(
    database,
    'SELECT stream, epoch, first, last, body FROM outbox WHERE stream = ? AND first > ? ORDER BY first LIMIT 1',
  ).get(stream, after) as (StoredBatch & { epoch: Epoch }) | undefined
  return row
}

export function batchesOf(database: Database, stream: Stream): OutboxRow[] {
  const rows = prepared(database, 'SELECT * FROM outbox WHERE stream = ? ORDER BY first').all(stream) as Raw[]
  return rows.map(parse)
}

/** What is made and not acknowledged: how many batches, and their last number (0 = none). */
export function madeOf(database: Database, stream: Stream): { count: number; last: number } {
  return prepared(
    database,
    'SELECT count(*) AS count, coalesce(max(last), 0) AS last FROM outbox WHERE stream = ?',
  ).get(stream) as { count: number; last: number }
}

/** Forgets the batches that are wholly acknowledged; answers them without their bodies. */
export function trimBatches(database: Database, stream: Stream, upTo: number): Omit<OutboxRow, 'body'>[] {
  const rows = prepared(database, 'DELETE FROM outbox WHERE stream = ? AND last <= ? RETURNING *').all(
    stream,
    upTo,
  ) as Raw[]
  return rows.map(parse)
}

export function dropBatches(database: Database, stream: Stream): void {
  prepared(database, 'DELETE FROM outbox WHERE stream = ?').run(stream)
}

/** Hash of the batch that ends at this number, where it is still stored. */
export const batchHash = (database: Database, stream: Stream, last: number): Hash | undefined =>
  prepared(database, 'SELECT hash FROM outbox WHERE stream = ? AND last = ?').pluck().get(stream, last) as
    | Hash
    | undefined
