import type { CloudDatabase } from '../storage/index.ts'
import { createWorker, type LedgerWorker, type WorkerCounts, type WorkerSettings } from './worker.ts'

/**
 * Transactions at once. PostgreSQL writes and syncs one while the next is judged and sent; it and this process share the
 * work about evenly, and a third one bridges the syncs. SQLite has one writer at a time.
 */
export const LANES: Readonly<Record<CloudDatabase['dialect'], number>> = { postgres: 3, sqlite: 1 }

/**
 * Several workers over one ledger, each with a connection of its own while it posts. A gateway's messages all go to the
 * same one, so that they stay in order; workers of other processes meet them in the database, by row lock.
 */
export function createLanes(settings: WorkerSettings, lanes = LANES[settings.db.dialect]): LedgerWorker {
  const workers = Array.from({ length: lanes }, () => createWorker(settings, 1 / lanes))
  return {
    offer(incoming) {
      const worker = workers[laneOf(incoming.gateway, lanes)]
      return worker?.offer(incoming) ?? false
    },
    async idle() {
      await Promise.all(workers.map((worker) => worker.idle()))
    },
    get counts() {
      return workers.map(({ counts }) => counts).reduce(summed)
    },
  }
}

/** Spreads names evenly; the same name always gives the same lane. */
function laneOf(gateway: string, lanes: number): number {
  let hash = 0
  for (let at = 0; at < gateway.length; at += 1) hash = (hash * 31 + gateway.charCodeAt(at)) >>> 0
  return hash % lanes
}

const summed = (a: WorkerCounts, b: WorkerCounts): WorkerCounts => ({
  posted: a.posted + b.posted,
  commits: a.commits + b.commits,
  dropped: a.dropped + b.dropped,
  failed: a.failed + b.failed,
  conflicts: a.conflicts + b.conflicts,
  unannounced: a.unannounced + b.unannounced,
  unreadable: a.unreadable + b.unreadable,
  lost: a.lost + b.lost,
})
