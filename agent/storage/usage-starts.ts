import type { Database } from 'better-sqlite3'
import { type ChainMark, type Hash, MARKS_MAX } from '../../cloud-sync/contract/index.ts'
import { readMeta, writeMeta } from './meta.ts'
import { type StreamState, streamState } from './streams.ts'

const STARTS = 'usage_starts'

/** A start of the process, in the usage stream's present epoch. */
interface UsageStart {
  /** The last record that was there before it, and its hash. */
  readonly seq: number
  readonly hash: Hash
  /** The last record of what was counted before it: the recovery of an interval that was open is among them. */
  readonly until: number
  /** Starts before this one that are not listed, because there were too many. */
  readonly isAfterMore?: true
}

/** Kept from one acknowledgement to the next only: an image older than that has other records under those numbers. */
const startsOf = (database: Database, { acked }: StreamState): UsageStart[] =>
  ((readMeta(database, STARTS) ?? []) as UsageStart[]).filter(({ seq }) => seq >= acked)

/**
 * Notes a start, within the transaction that recovers what the last run left open: was the database set back since, this
 * is the start at which its history left the true one.
 *
 * @param before the stream as that run left it
 */
export function noteUsageStart(database: Database, before: StreamState): void {
  const { next } = streamState(database, 'usage')
  const kept = startsOf(database, before).filter(({ seq }) => seq < before.next - 1)
  const start = { seq: before.next - 1, hash: before.head, until: next - 1 }
  const isFull = kept.length >= MARKS_MAX
  const starts = isFull
    ? [...kept.slice(0, MARKS_MAX - 1), { ...start, isAfterMore: true }]
    : [...kept, start]
  writeMeta(database, STARTS, starts)
}

/** A new epoch: nothing in it is from before this run. */
export function forgetUsageStarts(database: Database): void {
  writeMeta(database, STARTS, [])
}

/** What the ledger is asked to compare; one start alone needs no comparison. */
export function usageMarks(database: Database, state: StreamState): ChainMark[] {
  const starts = startsOf(database, state)
  return starts.length < 2 ? [] : starts.map(({ seq, hash }) => ({ seq, hash }))
}

/**
 * Records up to here had been counted before the database was set back: the ledger has that usage, in the records that
 * the true history made of it.
 *
 * @param agreed the last mark that the ledger has too; undefined where it did not say
 */
export function countedBeforeSetBack(database: Database, state: StreamState, agreed?: number): number {
  const starts = startsOf(database, state)
  if (agreed === undefined) return starts.at(-1)?.until ?? 0
  const at = starts.findLastIndex(({ seq }) => seq <= agreed)
  const next = starts[at + 1]
  // It may have been at one of those that are not listed. Nothing may be billed twice.
  const start = next?.isAfterMore === true ? next : starts[at]
  return start?.until ?? 0
}
