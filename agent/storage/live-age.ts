/** How long ago the newest windows were committed, by the monotonic clock; those of earlier runs are simply old. */
export class LiveAge {
  #commits: { last: number; monoMs: number; readings: number }[] = []

  add(last: number, monoMs: number, readings: number): void {
    this.#commits.push({ last, monoMs, readings })
  }

  /** Forgets what is batched: windows before `next`. */
  forget(next: number): void {
    const keep = this.#commits.findIndex((commit) => commit.last >= next)
    if (keep !== 0) this.#commits = keep === -1 ? [] : this.#commits.slice(keep)
  }

  /** Readings that wait, and since when; undefined where none do. */
  waiting(next: number): { readings: number; sinceMonoMs: number } | undefined {
    this.forget(next)
    const [oldest] = this.#commits
    if (oldest === undefined) return undefined
    const readings = this.#commits.reduce((sum, commit) => sum + commit.readings, 0)
    return { readings, sinceMonoMs: oldest.monoMs }
  }

  /** The last window that was committed before this time; undefined where none was. */
  lastBefore(monoMs: number): number | undefined {
    return this.#commits.findLast((commit) => commit.monoMs < monoMs)?.last
  }
}
