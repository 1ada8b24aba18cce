import type { Database } from 'better-sqlite3'
import type { ChannelDef, GatewayEvent, StoredReading, Stream } from '../../cloud-sync/contract/index.ts'
import { STREAMS } from '../../cloud-sync/contract/index.ts'
import type { Register } from '../metering/index.ts'
import type { ChannelBook } from './channels.ts'
import { latestEvents } from './events.ts'
import { decodePack, decodePacks } from './packing.ts'
import type { DropCounters, Retention } from './retention.ts'
import { sizeOf, type StoreSize } from './size.ts'
import { streamState } from './streams.ts'
import type { UsageLedger } from './usage.ts'
import { decodeWindow, type WindowRow } from './windows.ts'

/** Readings of one answer. */
const ANSWER_READINGS_MAX = 100_000

export interface ReadingQuery {
  /** Channel numbers. */
  readonly channels: readonly number[]
  /** Time of taking, epoch ms, both included. */
  readonly from: number
  readonly to: number
  readonly limit?: number
}

export interface StoreCounts {
  /** Readings in the store now. */
  readonly readings: number
  readonly channels: number
  readonly usageRecords: number
  /** Made and unacknowledged, or not made yet, by stream: sequence numbers for usage and events, batches for readings. */
  readonly waiting: Readonly<Record<Stream, number>>
  /** Readings that no batch holds yet. */
  readonly unbatched: number
}

/** Questions of the command line and the local page. Every answer is of committed facts only. */
export interface StoreReader {
  channels(): readonly ChannelDef[]
  /** By time of taking; at most `limit` (default and most 100,000). */
  readings(query: ReadingQuery): StoredReading[]
  /**
   * Every reading that fits, in the order of storing, a page at a time: the writer works on between two. Packing waits until
   * the generator has ended or was returned.
   */
  each(query: Omit<ReadingQuery, 'limit'>): Generator<StoredReading>
  /** The newest reading of each channel number. */
  latest(): ReadonlyMap<number, StoredReading>
  /** Every register with its owner and where it stands. */
  usage(): readonly Register[]
  events(limit: number): readonly GatewayEvent[]
  counts(): StoreCounts
  size(): StoreSize
  /** Readings dropped since the database was begun. */
  dropped(): DropCounters
}

/** Runs looked through for channels without a reading in any window; older ones have no latest reading after a start. */
const LATEST_RUNS = 50

/** Newest reading of each channel: filled at the start from the store, then by each commit. */
export class LatestReadings {
  readonly #latest = new Map<number, StoredReading>()

  constructor(database: Database, channels: ChannelBook) {
    let missing = channels.all().length
    const runs = database.prepare('SELECT first FROM pack_run ORDER BY first DESC LIMIT ?').pluck()
    for (const run of runs.all(LATEST_RUNS) as number[]) {
      if (missing === 0) break
      for (const [channel, reading] of lastOfRun(database, run)) {
        if (this.#latest.has(channel)) continue
        this.#latest.set(channel, reading)
        missing -= 1
      }
    }
    for (const row of database.prepare('SELECT body FROM window ORDER BY id').iterate()) {
      this.add(decodeWindow(row as WindowRow))
    }
  }

  add(readings: readonly StoredReading[]): void {
    for (const reading of readings) this.#latest.set(reading.channel, reading)
  }

  all(): ReadonlyMap<number, StoredReading> {
    return this.#latest
  }
}

const lastOfRun = (database: Database, run: number): Map<number, StoredReading> =>
  new Map(decodePacks(database, run).map((reading) => [reading.channel, reading]))

export interface ReaderParts {
  readonly folder: string
  readonly channels: ChannelBook
  readonly ledger: UsageLedger
  readonly latest: LatestReadings
  readonly retention: Retention
  readonly dumps: Dumps
}

/** Packing moves readings from windows to packs: not while somebody reads the store from end to end. */
export class Dumps {
  running = 0
}

export function storeReader(database: Database, parts: ReaderParts): StoreReader {
  return {
    channels: () => parts.channels.all(),
    readings: (query) => readingsOf(database, query),
    each: (query) => eachReading(database, query, parts.dumps),
    latest: () => parts.latest.all(),
    usage: () => parts.ledger.registers(),
    events: (limit) => latestEvents(database, limit),
    counts: () => countsOf(database),
    size: () => sizeOf(database, parts.folder),
    dropped: () => parts.retention.counters(),
  }
}

function readingsOf(database: Database, query: ReadingQuery): StoredReading[] {
  const { from, to } = query
  const limit = Math.min(query.limit ?? ANSWER_READINGS_MAX, ANSWER_READINGS_MAX)
  const wanted = new Set(query.channels)
  const within = (reading: StoredReading): boolean =>
    wanted.has(reading.channel) && reading.takenAt >= from && reading.takenAt <= to
  const found: StoredReading[] = []
  const runs = database
    .prepare('SELECT first FROM pack_run WHERE to_ms >= ? AND from_ms <= ? ORDER BY first')
    .pluck()
    .all(from, to) as number[]
  for (const run of runs) {
    if (found.length >= limit) break
    found.push(...query.channels.flatMap((no) => decodePack(database, run, no)).filter(within))
  }
  const windows = database.prepare('SELECT body FROM window WHERE to_ms >= ? AND from_ms <= ? ORDER BY id')
  for (const row of windows.iterate(from, to)) {
    if (found.length >= limit) break
    found.push(...decodeWindow(row as WindowRow).filter(within))
  }
  return found.toSorted((a, b) => a.takenAt - b.takenAt).slice(0, limit)
}

function* eachReading(
  database: Database,
  { channels, from, to }: Omit<ReadingQuery, 'limit'>,
  dumps: Dumps,
): Generator<StoredReading> {
  const wanted = new Set(channels)
  const within = (reading: StoredReading): boolean =>
    wanted.has(reading.channel) && reading.takenAt >= from && reading.takenAt <= to
  const spanning = 'WHERE to_ms >= ? AND from_ms <= ? ORDER BY'
  dumps.running += 1
  try {
    const runs = database
      .prepare(`SELECT first FROM pack_run ${spanning} first`)
      .pluck()
      .all(from, to) as number[]
    for (const run of runs) yield* decodePacks(database, run).filter(within)
    const ids = database.prepare(`SELECT id FROM window ${spanning} id`).pluck().all(from, to) as number[]
    const body = database.prepare('SELECT body FROM window WHERE id = ?')
    for (const id of ids) {
      const row = body.get(id) as WindowRow | undefined
      if (row !== undefined) yield* decodeWindow(row).filter(within)
    }
  } finally {
    dumps.running -= 1
  }
}

function countsOf(database: Database): StoreCounts {
  const number = (sql: string): number => database.prepare(sql).pluck().get() as number
  const waiting = Object.fromEntries(
    STREAMS.map((name) => {
      const { next, acked } = streamState(database, name)
      return [name, next - 1 - acked]
    }),
  ) as Record<Stream, number>
  const all = 'SELECT coalesce(sum(count), 0) FROM'
  const backfill = 'SELECT 1 FROM backfill WHERE'
  const next = `coalesce((SELECT value FROM meta WHERE key = 'live_next'), 1)`
  return {
    readings: number(`${all} window`) + number(`${all} pack_run`),
    channels: number('SELECT count(*) FROM channel'),
    usageRecords: number('SELECT count(*) FROM usage_record'),
    waiting,
    unbatched:
      number(`${all} window WHERE id >= ${next} OR EXISTS (${backfill} id BETWEEN first AND last)`) +
      number(`${all} pack_run WHERE NOT batched`),
  }
}
