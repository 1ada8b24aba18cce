import type { Database } from 'better-sqlite3'
import type { Changes } from './changes.ts'
import { readMeta, writeMeta } from './schema.ts'

const KEY = 'running_ms'
/** What a crash can take from the counted time where nothing else was committed meanwhile, ms. */
const KEPT_EVERY_MS = 600_000

/**
 * Time counted while the broker ran, over all its runs, ms. Queues age by it and by nothing else: a wall clock that jumps
 * from 1970 to 2026 must not empty them, and a gateway that lay in a drawer has not made anybody wait.
 */
export class RunningTime {
  readonly #database: Database
  readonly #monoMs: () => number
  #offset = 0
  #kept = 0

  /** `monoMs` never goes back. */
  constructor(database: Database, monoMs: () => number) {
    this.#database = database
    this.#monoMs = monoMs
  }

  /** `seen` = the latest time any row bears. */
  load(seen: number): void {
    this.#kept = Math.max(seen, readMeta(this.#database, KEY) ?? 0)
    this.#offset = this.#kept - this.#monoMs()
  }

  /** Whole ms. */
  now(): number {
    return Math.floor(this.#offset + this.#monoMs())
  }

  /** Notes the time where it was not kept for long; true where it did. */
  keep(changes: Changes): boolean {
    const now = this.now()
    if (now - this.#kept < KEPT_EVERY_MS) return false
    this.#kept = now
    changes.note({
      run: () => {
        writeMeta(this.#database, KEY, now)
      },
    })
    return true
  }
}
