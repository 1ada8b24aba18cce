import type { DirectoryReader, DirectoryRow } from '../storage/index.ts'

/** Entries read at once. */
const PAGE = 500
/**
 * How far back a beginning looks: writes that are under way when it begins have positions no further back than this.
 */
const OVERLAP = 1_000
/** A position that is missing so long was taken back: no statement runs for longer than half of this, ms. */
const GAP_MS = 60_000

export type LogEntry = DirectoryRow<'policy_log'>

/** A place in the policy log that only moves on. */
export interface LogCursor {
  /** Begins at the end: everything that is there now counts as seen. */
  begin(): Promise<void>
  /** Entries that were not seen yet, each exactly once, in the order of their positions. */
  next(): Promise<LogEntry[]>
}

/**
 * Follows the log. Positions are given before the commit, so a lower one may appear after a higher one (PostgreSQL): the
 * cursor waits at each gap, but what is beyond it comes at once.
 */
export function followLog(read: DirectoryReader, monoMs: () => number): LogCursor {
  /** Everything up to here was seen or will never come. */
  let base = 0
  /** Beyond `base`, what was seen. */
  const seen = new Set<number>()
  /** Beyond `base`, what is missing, and since when. */
  const missing = new Map<number, number>()

  const unseen = async (): Promise<LogEntry[]> => {
    const found: LogEntry[] = []
    for (let after = base; ; ) {
      const page = await read.find('policy_log', {}, { orderBy: ['position'], after, limit: PAGE })
      found.push(...page.filter(({ position }) => !seen.has(position)))
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE) return found
      after = last.position
    }
  }
  const note = (entries: readonly LogEntry[]): void => {
    const now = monoMs()
    for (const { position } of entries) {
      seen.add(position)
      missing.delete(position)
    }
    const end = Math.max(base, ...seen)
    for (let at = base + 1; at <= end; at += 1) if (!seen.has(at) && !missing.has(at)) missing.set(at, now)
    for (let at = base + 1; at <= end; at += 1) {
      const since = missing.get(at)
      if (since !== undefined && now - since < GAP_MS) return
      base = at
      seen.delete(at)
      missing.delete(at)
    }
  }
  return {
    async begin() {
      const [last] = await read.find('policy_log', {}, { orderBy: ['position'], descending: true, limit: 1 })
      base = Math.max(0, (last?.position ?? 0) - OVERLAP)
      note(await unseen())
    },
    async next() {
      const entries = await unseen()
      note(entries)
      return entries
    },
  }
}
