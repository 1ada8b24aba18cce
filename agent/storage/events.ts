import type { Database } from 'better-sqlite3'
import { GatewayEvent } from '../../cloud-sync/contract/index.ts'
import { readMetaNumber, writeMeta } from './meta.ts'
import { prepared } from './prepared.ts'
import { advance, setAcked, streamState } from './streams.ts'

/** Acknowledged events kept for the people on site. */
const KEPT_EVENTS = 2000

/** Events that may wait for the cloud; later ones are only counted, because numbers may have no hole. */
const WAITING_EVENTS_MAX = 20_000

/** Appends an event to the stream `evt`, within the caller's transaction. */
export function recordEvent(database: Database, event: GatewayEvent): void {
  const { next, head, acked } = streamState(database, 'evt')
  if (next - acked > WAITING_EVENTS_MAX) {
    writeMeta(database, 'events_dropped', (readMetaNumber(database, 'events_dropped') ?? 0) + 1)
    return
  }
  const { at, kind, detail } = event
  prepared(database, 'INSERT INTO event (seq, at, kind, detail) VALUES (?, ?, ?, ?)').run(
    next,
    at,
    kind,
    JSON.stringify(detail),
  )
  advance(database, 'evt', { next: next + 1, head })
}

interface Row {
  readonly at: number
  readonly kind: string
  readonly detail: string
}

const parse = ({ at, kind, detail }: Row): GatewayEvent =>
  GatewayEvent.parse({ at, kind, detail: JSON.parse(detail) as unknown })

/** Events from a number on, oldest first. */
export function eventsFrom(database: Database, first: number, limit: number): GatewayEvent[] {
  const rows = prepared(
    database,
    'SELECT at, kind, detail FROM event WHERE seq >= ? ORDER BY seq LIMIT ?',
  ).all(first, limit) as Row[]
  return rows.map(parse)
}

/** The newest ones, newest first. */
export function latestEvents(database: Database, limit: number): GatewayEvent[] {
  const rows = prepared(database, 'SELECT at, kind, detail FROM event ORDER BY seq DESC LIMIT ?').all(
    limit,
  ) as Row[]
  return rows.map(parse)
}

/** Forgets all but the newest acknowledged ones. */
export function trimEvents(database: Database): void {
  const { acked } = streamState(database, 'evt')
  prepared(database, 'DELETE FROM event WHERE seq <= ?').run(acked - KEPT_EVENTS)
}

/** Without a cloud nobody asks for the old ones. */
export function keepNewestEvents(database: Database): void {
  const { next } = streamState(database, 'evt')
  prepared(database, 'DELETE FROM event WHERE seq < ?').run(next - KEPT_EVENTS)
  setAcked(database, 'evt', Math.max(0, next - 1 - KEPT_EVENTS))
}

/** For a new epoch: what is not acknowledged begins at 1 again, the rest is forgotten. */
export function renumberEvents(database: Database, acked: number): number {
  prepared(database, 'DELETE FROM event WHERE seq <= ?').run(acked)
  // In order, so that no number is taken twice on the way down.
  const seqs = prepared(database, 'SELECT seq FROM event ORDER BY seq').pluck().all() as number[]
  const update = prepared(database, 'UPDATE event SET seq = ? WHERE seq = ?')
  for (const [index, seq] of seqs.entries()) update.run(index + 1, seq)
  return seqs.length + 1
}
