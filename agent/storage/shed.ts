import type { Database } from 'better-sqlite3'
import type { OrgId, StoredReading } from '../../cloud-sync/contract/index.ts'
import type { ChannelBook } from './channels.ts'
import { waitingIn, waitsFor } from './holds.ts'
import { liveNext, stretchOf } from './lanes.ts'
import { decodePacks } from './packing.ts'
import { decodeWindow, type WindowRow } from './windows.ts'

/** Readings stamped before 2020 come from a clock that was not set yet: their age says nothing, only bytes end them. */
const PLAUSIBLE_MS = Date.UTC(2020, 0, 1)

/** What was dropped, and of whom. */
export interface Dropped {
  /** Readings that the cloud has, or that were only ever kept here. */
  expired: number
  /** Readings that nobody has any more, by owner. */
  readonly lost: Map<OrgId, number>
}

export interface ShedRules {
  readonly channels: ChannelBook
  /** Without a cloud nothing waits to be sent, so nothing dropped counts as lost. */
  readonly cloudConfigured: boolean
}

/** A row to be dropped; `sent` = some batch holds it. */
interface Candidate {
  readonly id: number
  readonly sent: boolean
  readonly what: 'run' | 'window'
}

const RUN_WAITS = waitsFor('pack_run.first', 'pack_run.last')
const WINDOW_WAITS = waitsFor('window.id', 'window.id')

/**
 * Drops the next readings in the declared order, within the caller's transaction: the oldest that are in a batch already,
 * then the oldest that are not. Usage records, policy and made batches are never dropped. False where nothing is left.
 */
export function dropNext(database: Database, rules: ShedRules, dropped: Dropped): boolean {
  const candidate = nextCandidate(database)
  if (candidate === undefined) return false
  count(database, candidate, { rules, dropped })
  forget(database, candidate)
  return true
}

/** Drops runs whose readings are all older than this and in a batch (or only kept here); answers false where none is. */
export function dropExpired(
  database: Database,
  rules: ShedRules & { beforeMs: number },
  dropped: Dropped,
): boolean {
  const id = expiredRun(database, rules)
  if (id === undefined) return false
  const candidate = { id, sent: true, what: 'run' } as const
  count(database, candidate, { rules, dropped })
  forget(database, candidate)
  return true
}

/** True where `dropExpired` would find something. */
export function hasExpired(database: Database, rules: ShedRules & { beforeMs: number }): boolean {
  return expiredRun(database, rules) !== undefined
}

const expiredRun = (database: Database, rules: ShedRules & { beforeMs: number }): number | undefined =>
  database
    .prepare(
      `SELECT first FROM pack_run WHERE to_ms > ? AND to_ms < ?
       AND (batched AND NOT ${RUN_WAITS} OR ?) ORDER BY first LIMIT 1`,
    )
    .pluck()
    .get(PLAUSIBLE_MS, rules.beforeMs, rules.cloudConfigured ? 0 : 1) as number | undefined

function nextCandidate(database: Database): Candidate | undefined {
  const first = (sql: string): number | undefined => database.prepare(sql).pluck().get() as number | undefined
  const sentRun = first(
    `SELECT first FROM pack_run WHERE batched AND NOT ${RUN_WAITS} ORDER BY first LIMIT 1`,
  )
  if (sentRun !== undefined) return { id: sentRun, sent: true, what: 'run' }
  const sentWindow = first(
    `SELECT id FROM window WHERE id < ${liveNext(database)}
     AND NOT EXISTS (SELECT 1 FROM backfill WHERE id BETWEEN first AND last) AND NOT ${WINDOW_WAITS}
     ORDER BY id LIMIT 1`,
  )
  if (sentWindow !== undefined) return { id: sentWindow, sent: true, what: 'window' }
  const run = first('SELECT first FROM pack_run ORDER BY first LIMIT 1')
  if (run !== undefined) return { id: run, sent: false, what: 'run' }
  const window = first('SELECT id FROM window ORDER BY id LIMIT 1')
  return window === undefined ? undefined : { id: window, sent: false, what: 'window' }
}

function count(
  database: Database,
  { id, sent, what }: Candidate,
  { rules, dropped }: { rules: ShedRules; dropped: Dropped },
): void {
  if (sent || !rules.cloudConfigured) {
    const table = what === 'run' ? 'pack_run WHERE first' : 'window WHERE id'
    dropped.expired += database.prepare(`SELECT count FROM ${table} = ?`).pluck().get(id) as number
    return
  }
  const { batched, last, readings } = what === 'run' ? runOf(database, id) : windowOf(database, id)
  const waiting = waitingIn(database, id, last)
  for (const { channel } of readings) {
    const def = rules.channels.get(channel)
    if (def === undefined) continue
    if (batched && !waiting.some(({ devices }) => devices.has(def.device))) dropped.expired += 1
    else dropped.lost.set(def.org, (dropped.lost.get(def.org) ?? 0) + 1)
  }
}

interface Content {
  /** Some batch holds what does not wait for a limit. */
  readonly batched: boolean
  readonly last: number
  readonly readings: readonly StoredReading[]
}

function runOf(database: Database, first: number): Content {
  const row = database.prepare('SELECT last, batched FROM pack_run WHERE first = ?').get(first) as {
    last: number
    batched: number
  }
  return { last: row.last, batched: row.batched === 1, readings: decodePacks(database, first) }
}

function windowOf(database: Database, id: number): Content {
  const row = database.prepare('SELECT body FROM window WHERE id = ?').get(id) as WindowRow
  return { last: id, batched: stretchOf(database, id).batched, readings: decodeWindow(row) }
}

function forget(database: Database, { id, what }: Candidate): void {
  if (what === 'window') {
    database.prepare('DELETE FROM window WHERE id = ?').run(id)
    return
  }
  database.prepare('DELETE FROM pack WHERE run = ?').run(id)
  database.prepare('DELETE FROM pack_run WHERE first = ?').run(id)
}
