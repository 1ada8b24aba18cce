import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Database } from 'better-sqlite3'
import type { OrgId } from '../../cloud-sync/contract/index.ts'
import { BALLAST_BYTES, Ballast } from './ballast.ts'
import { recordEvent } from './events.ts'
import { readMeta, writeMeta } from './meta.ts'
import { type Dropped, dropExpired, dropNext, hasExpired, type ShedRules } from './shed.ts'
import { sizeOf } from './size.ts'

const DAY_MS = 86_400_000
/** Dropping begins above this share of what the store may use, and stops below the second. */
const SHED_ABOVE = 0.88
const SHED_TO = 0.82
/** Acknowledged usage is kept for so much running time, so that a cloud restored from a backup can ask again (decisions.md). */
const USAGE_DAYS = 90
/** Runs and windows dropped in one transaction: bounds how long it blocks. */
const DROPS_MAX = 500
/** Left free on the file system for the WAL and for others. */
const RESERVE_BYTES = 4 * 1024 * 1024

export interface RetentionLimits {
  /** Most the database file may occupy. */
  readonly bytes: number
  /** Readings in the cloud are dropped after so many days of trusted time. */
  readonly days: number
  /** Smaller ones for a small disk. */
  readonly ballastBytes?: number
  readonly reserveBytes?: number
}

export interface RetentionOptions extends ShedRules {
  readonly folder: string
  readonly limits: RetentionLimits
  readonly wallMs: () => number
  /** Trusted time, epoch ms; null where there is none: then nothing expires by age. */
  readonly trustedMs: () => number | null
  /** Running time ever counted, ms; never more than has really passed. */
  readonly runningMs: () => number
}

/** Readings dropped since the database was begun. */
export interface DropCounters {
  readonly expired: number
  readonly lost: Readonly<Record<OrgId, number>>
}

/** Keeps the store within its bytes and days, dropping only readings, only in the declared order, and saying so. */
export class Retention {
  readonly #database: Database
  readonly #options: RetentionOptions
  readonly #ballast: Ballast
  readonly #reserveBytes: number

  constructor(database: Database, options: RetentionOptions) {
    this.#database = database
    this.#options = options
    this.#ballast = new Ballast(options.folder, options.limits.ballastBytes ?? BALLAST_BYTES)
    this.#reserveBytes = options.limits.reserveBytes ?? RESERVE_BYTES
  }

  /** A look at the disk; outside any transaction. True where something has to be dropped. */
  look(): boolean {
    const { freeBytes } = sizeOf(this.#database, this.#options.folder)
    if (freeBytes > this.#reserveBytes) this.#ballast.restore(freeBytes - this.#reserveBytes)
    this.#capGrowth()
    const { used, allowed } = this.#pressure()
    return used > allowed * SHED_ABOVE || this.#hasExpired()
  }

  /** Drops what has to go, within the caller's transaction; answers whether more has to. */
  shed(database: Database): boolean {
    const dropped: Dropped = { expired: 0, lost: new Map() }
    const beforeMs = this.#expiryMs()
    let drops = 0
    while (
      drops < DROPS_MAX &&
      beforeMs !== null &&
      dropExpired(database, { ...this.#options, beforeMs }, dropped)
    ) {
      drops += 1
    }
    const { used, allowed } = this.#pressure()
    const pressed = used > allowed * SHED_ABOVE
    while (
      pressed &&
      drops < DROPS_MAX &&
      this.#isAbove(SHED_TO) &&
      dropNext(database, this.#options, dropped)
    ) {
      drops += 1
    }
    this.#report(database, dropped)
    return drops === DROPS_MAX
  }

  /** The disk is full: throws off the ballast and drops, in a transaction of its own. Throws where even that fails. */
  rescue(): void {
    this.#ballast.throwOff()
    this.#capGrowth()
    this.#database
      .transaction(() => {
        const dropped: Dropped = { expired: 0, lost: new Map() }
        let drops = 0
        while (
          drops < DROPS_MAX &&
          this.#isAbove(SHED_TO) &&
          dropNext(this.#database, this.#options, dropped)
        )
          drops += 1
        this.#report(this.#database, dropped)
      })
      .immediate()
    // RESTART keeps the WAL's room for the commits to come, where TRUNCATE would give it to others.
    this.#database.pragma('wal_checkpoint(RESTART)')
  }

  /**
   * Forgets usage that the ledger confirmed long ago, within the caller's transaction. Long by running time alone: a clock
   * that jumps forgets nothing early, and one that was wrong keeps nothing for ever.
   */
  forgetOldUsage(database: Database): void {
    const before = this.#options.runningMs() - USAGE_DAYS * DAY_MS
    database.prepare('DELETE FROM usage_record WHERE acked_at < ?').run(before)
  }

  counters(): DropCounters {
    return (readMeta(this.#database, 'dropped') ?? { expired: 0, lost: {} }) as DropCounters
  }

  /**
   * Growth ends at the limit, and at what the disk still has: then a statement fails cleanly and pages are freed, instead of
   * a checkpoint that cannot write.
   */
  #capGrowth(): void {
    const { folder, limits } = this.#options
    const size = sizeOf(this.#database, folder)
    const onDisk = statSync(join(folder, 'gateway.db')).size
    const toCome = Math.max(0, size.fileBytes - onDisk)
    const room = Math.max(0, size.freeBytes - toCome - this.#reserveBytes)
    const pageBytes = Number(this.#database.pragma('page_size', { simple: true }))
    const pages = Math.floor(Math.min(limits.bytes, size.fileBytes + room) / pageBytes)
    this.#database.pragma(`max_page_count = ${pages}`)
  }

  #pressure(): { used: number; allowed: number } {
    const { folder, limits } = this.#options
    const size = sizeOf(this.#database, folder)
    const room = Math.max(0, size.freeBytes - this.#reserveBytes)
    return { used: size.usedBytes, allowed: Math.min(limits.bytes, size.fileBytes + room) }
  }

  #isAbove(share: number): boolean {
    const { used, allowed } = this.#pressure()
    return used > allowed * share
  }

  #expiryMs(): number | null {
    const trustedMs = this.#options.trustedMs()
    return trustedMs === null ? null : trustedMs - this.#options.limits.days * DAY_MS
  }

  #hasExpired(): boolean {
    const beforeMs = this.#expiryMs()
    return beforeMs !== null && hasExpired(this.#database, { ...this.#options, beforeMs })
  }

  #report(database: Database, dropped: Dropped): void {
    if (dropped.expired === 0 && dropped.lost.size === 0) return
    const counters = this.counters()
    const lost: Record<string, number> = { ...counters.lost }
    for (const [org, count] of dropped.lost) {
      lost[org] = (lost[org] ?? 0) + count
      recordEvent(database, { at: this.#options.wallMs(), kind: 'readings_dropped', detail: { org, count } })
    }
    writeMeta(database, 'dropped', { expired: counters.expired + dropped.expired, lost })
  }
}
