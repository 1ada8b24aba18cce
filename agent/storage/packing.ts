import type { Database } from 'better-sqlite3'
import { decodeColumns, encodeColumns } from '../../cloud-sync/codec/index.ts'
import type { StoredReading } from '../../cloud-sync/contract/index.ts'
import { sameHoldsUntil } from './holds.ts'
import { liveNext, moveToBackfill, stretchOf } from './lanes.ts'
import { decodeWindow, type ResolutionOf, spanOf, type WindowRow } from './windows.ts'

/** Readings in one run: a run always fits one batch of back-fill. */
export const RUN_READINGS_MAX = 4000
/** Bytes of one run, for readings that do not compress (texts). */
const RUN_BYTES_MAX = 40 * 1024
const HOUR_MS = 3_600_000
const WINDOWS_MAX = 4000

const hourOf = (at: number): number => Math.floor(at / HOUR_MS)

interface Packed {
  readonly channel: number
  readonly body: Uint8Array
}

export interface PackRules {
  readonly resolutionOf: ResolutionOf
  /** Later windows stay as they are. */
  readonly upTo: number
}

/**
 * Packs the oldest windows of a past hour into one run, per channel, and deletes them; within the caller's transaction.
 * Batched and un-batched windows never share a run, nor do those that a hold begins or ends between. Answers how many readings were packed; 0 = nothing is past yet.
 */
export function packOldest(database: Database, nowMs: number, rules: PackRules): number {
  const { resolutionOf } = rules
  const rows = oldestStretch(database, nowMs, rules.upTo)
  const [first] = rows
  if (first === undefined) return 0
  const { batched } = stretchOf(database, first.id)
  for (let taken = rows.length; ; taken = taken >> 1) {
    const part = rows.slice(0, taken)
    const readings = part.flatMap(decodeWindow)
    const packs = packChannels(readings, resolutionOf)
    const bytes = packs.reduce((sum, pack) => sum + pack.body.length, 0)
    if (bytes > RUN_BYTES_MAX && taken > 1) continue
    const last = part.at(-1)?.id ?? first.id
    // The live lane takes windows only: what it has not sent by now goes by the back-fill lane.
    if (last >= liveNext(database)) moveToBackfill(database, last)
    storeRun(database, { first: first.id, last, batched, readings, packs })
    return readings.length
  }
}

/** All readings of a run, by channel, each channel in the order taken. */
export function decodePacks(database: Database, run: number): StoredReading[] {
  const bodies = database
    .prepare('SELECT body FROM pack WHERE run = ? ORDER BY channel')
    .pluck()
    .all(run) as Uint8Array[]
  return bodies.flatMap((body) => decodeColumns(body, RUN_READINGS_MAX))
}

/** Readings of one channel of a run. */
export function decodePack(database: Database, run: number, channel: number): StoredReading[] {
  const body = database
    .prepare('SELECT body FROM pack WHERE run = ? AND channel = ?')
    .pluck()
    .get(run, channel) as Uint8Array | undefined
  return body === undefined ? [] : decodeColumns(body, RUN_READINGS_MAX)
}

/** Windows from the oldest on that share its hour and its answer to "batched?", within a run's bounds. */
function oldestStretch(database: Database, nowMs: number, upTo: number): WindowRow[] {
  const rows = database
    .prepare('SELECT id, at, count, body FROM window WHERE id <= ? ORDER BY id LIMIT ?')
    .all(upTo, WINDOWS_MAX) as WindowRow[]
  const [oldest] = rows
  // Any other hour is past: a clock that was set back must not keep windows unpacked until it is there again.
  if (oldest === undefined || hourOf(oldest.at) === hourOf(nowMs)) return []
  const last = Math.min(stretchOf(database, oldest.id).last, sameHoldsUntil(database, oldest.id))
  let count = 0
  const end = rows.findIndex((row) => {
    count += row.count
    return row.id > last || hourOf(row.at) !== hourOf(oldest.at) || count > RUN_READINGS_MAX
  })
  return end === -1 ? rows : rows.slice(0, Math.max(1, end))
}

function packChannels(readings: readonly StoredReading[], resolutionOf: ResolutionOf): Packed[] {
  const byChannel = new Map<number, StoredReading[]>()
  for (const reading of readings) {
    const own = byChannel.get(reading.channel)
    if (own === undefined) byChannel.set(reading.channel, [reading])
    else own.push(reading)
  }
  return [...byChannel]
    .toSorted(([a], [b]) => a - b)
    .map(([channel, own]) => ({ channel, body: encodeColumns(own, resolutionOf) }))
}

function storeRun(
  database: Database,
  run: {
    first: number
    last: number
    batched: boolean
    readings: readonly StoredReading[]
    packs: readonly Packed[]
  },
): void {
  const { from, to } = spanOf(run.readings)
  database
    .prepare('INSERT INTO pack_run (first, last, from_ms, to_ms, count, batched) VALUES (?, ?, ?, ?, ?, ?)')
    .run(run.first, run.last, from, to, run.readings.length, run.batched ? 1 : 0)
  const insert = database.prepare('INSERT INTO pack (run, channel, body) VALUES (?, ?, ?)')
  for (const { channel, body } of run.packs) insert.run(run.first, channel, body)
  database.prepare('DELETE FROM window WHERE id BETWEEN ? AND ?').run(run.first, run.last)
}
