import type { Database } from 'better-sqlite3'
import type { ChannelDef, GatewayEvent } from '../../cloud-sync/contract/index.ts'
import type { Increment, Moment } from '../metering/index.ts'
import type { CellularRecord } from './cellular.ts'
import type { ChangeStore } from './changes.ts'
import type { ChannelBook, ChannelKey } from './channels.ts'
import type { ClaimRecord } from './claim.ts'
import { isDamage, markSuspect } from './database.ts'
import { keepNewestEvents, recordEvent } from './events.ts'
import type { EnforcedPolicy } from './enforced.ts'
import type { CommittedWindow, Intake, OwnedReading } from './intake.ts'
import type { FolderLock } from './lock.ts'
import type { StoreOptions } from './options.ts'
import type { SqliteOutbox } from './outbox.ts'
import { packOldest } from './packing.ts'
import { POLICY_TIME_KEPT_EVERY_MS, type PolicyTime } from '../clock/index.ts'
import type { PolicyStore } from './policy/store.ts'
import type { PolicyTimeKeeper } from './policy/time-keeper.ts'
import type { Dumps, LatestReadings, StoreReader } from './reader.ts'
import type { Quota } from './quota.ts'
import type { Retention } from './retention.ts'
import type { StoreClock, UsageLedger } from './usage.ts'
import { type Page, pageSince } from './pages.ts'
import { decodeWindow, windowsAfter } from './windows.ts'
import type { Writer } from './writer.ts'

/** Packing and retention look this often, ms. */
const UPKEEP_EVERY_MS = 5000
/** An interval ends at most this late, ms, also where nothing else is committed. */
const INTERVAL_LOOK_MS = 1000
/** The newest policy and policy time are written beside the database at least this often, ms. */
const MARK_KEPT_EVERY_MS = 3_600_000
/** Windows read at once when they are published again. */
const REPLAY_WINDOWS = 100

export interface StoreParts {
  readonly database: Database
  readonly lock: FolderLock
  readonly options: StoreOptions
  readonly clock: StoreClock
  readonly channels: ChannelBook
  readonly ledger: UsageLedger
  readonly quota: Quota
  readonly writer: Writer
  readonly policy: PolicyStore
  readonly claim: ClaimRecord
  readonly cellular: CellularRecord
  readonly timeKeeper: PolicyTimeKeeper
  readonly changes: ChangeStore
  readonly enforced: EnforcedPolicy
  readonly intake: Intake
  readonly outbox: SqliteOutbox
  readonly latest: LatestReadings
  readonly dumps: Dumps
  readonly retention: Retention
  readonly reader: StoreReader
}

/** The gateway's store: one connection, one writer, one process. Made by `openStore`. */
export class Store {
  /** For broker/persistence, which shares them. */
  readonly database: Database
  readonly writer: Writer
  readonly outbox: SqliteOutbox
  readonly policy: PolicyStore
  readonly claim: ClaimRecord
  /** Registers of cellular links and what their meter remembers. */
  readonly cellular: CellularRecord
  /** What policies are judged by: signed time and counted running time. */
  readonly policyTime: PolicyTime
  readonly changes: ChangeStore
  /** What has been taken from whom, up to which policy. */
  readonly enforced: EnforcedPolicy
  /** Workspaces that are over their limit, and what of theirs waits. */
  readonly quota: Quota
  readonly reader: StoreReader
  readonly parts: StoreParts
  #timers: NodeJS.Timeout[] = []
  #open = true

  constructor(parts: StoreParts) {
    this.parts = parts
    this.database = parts.database
    this.writer = parts.writer
    this.outbox = parts.outbox
    this.policy = parts.policy
    this.claim = parts.claim
    this.cellular = parts.cellular
    this.policyTime = parts.timeKeeper.time
    this.changes = parts.changes
    this.enforced = parts.enforced
    this.quota = parts.quota
    this.reader = parts.reader
    parts.intake.onCommitted(({ last, readings }) => {
      parts.latest.add(readings)
      parts.outbox.committed(last, readings.length)
    })
  }

  /** The definition of a channel under its present owner, unit and resolution; made where it is new. */
  define(key: ChannelKey): ChannelDef {
    return this.parts.channels.define(key)
  }

  /** The definition with this number; undefined where none has it. */
  channel(no: number): ChannelDef | undefined {
    return this.parts.channels.get(no)
  }

  /**
   * Stores and meters readings in one transaction; resolves once it is committed. `urgent` does not wait for the window.
   * Rejects with STORE_FULL (nothing was taken, try later) or STORE_FAILED.
   */
  async take(readings: readonly OwnedReading[], urgent = false): Promise<void> {
    const { intake, writer } = this.parts
    // First, so that a refused writer takes nothing either.
    const committed = writer.submit(() => undefined)
    try {
      intake.take(readings, writer)
    } catch (error) {
      committed.catch(() => undefined)
      throw error
    }
    if (urgent) writer.hurry()
    await committed
  }

  /** One look at the clocks the store goes by. */
  now(): Moment {
    return this.parts.clock.now()
  }

  /** Asked at every commit for what was counted since the one before; it goes into that commit. */
  addMeter(take: () => Increment[]): void {
    this.parts.ledger.addSource(take)
  }

  /** Called after each commit that stored readings, before their `take` resolves. */
  onCommitted(listener: (window: CommittedWindow) => void): () => void {
    return this.parts.intake.onCommitted(listener)
  }

  /** Windows that were committed but perhaps never published, oldest first. */
  *unpublished(): Generator<CommittedWindow> {
    const { intake } = this.parts
    let after = intake.published
    for (;;) {
      const rows = windowsAfter(this.database, after, REPLAY_WINDOWS)
      for (const row of rows) yield { first: row.id, last: row.id, readings: decodeWindow(row) }
      const last = rows.at(-1)
      if (last === undefined) return
      after = last.id
    }
  }

  /**
   * What devices gave in windows from one id on, window by window and by time in each, as much as one turn of the event
   * loop reads. `done` = the last window of which nothing is left out; what retention dropped is not there any more.
   */
  readingsSince(first: number, wanted: (device: string, window: number) => boolean): Page {
    return pageSince(this.database, first, {
      last: this.parts.intake.lastId,
      wanted,
      channels: this.parts.channels,
    })
  }

  /** Id of the newest committed window. */
  get lastWindow(): number {
    return this.parts.intake.lastId
  }

  /** Everything up to this window is published; remembered with the next commit. */
  published(last: number): void {
    this.parts.intake.published = Math.max(this.parts.intake.published, last)
  }

  /** Stores an event for `evt`; resolves once it is committed. */
  recordEvent(kind: string, detail: GatewayEvent['detail']): Promise<void> {
    const at = this.parts.clock.now().wallMs
    return this.writer.submit((database) => {
      recordEvent(database, { at, kind, detail })
    })
  }

  /** The wall clock stepped: an event, and a record in the usage chain (metering.md 4.5). */
  async noteClockStep(step: { readonly stepMs: number; readonly wallMs: number }): Promise<void> {
    const org = this.policy.current()?.owner.org ?? this.parts.options.organisation
    this.parts.ledger.noteEvent({ name: 'clock_step', org, wallBefore: step.wallMs - step.stepMs })
    await this.recordEvent('clock_step', { stepMs: step.stepMs, wallMs: step.wallMs })
  }

  /** Begins upkeep: intervals, packing, retention; until `stop` or the signal. */
  start(signal: AbortSignal): Promise<void> {
    const every = (ms: number, look: () => void): void =>
      void this.#timers.push(setInterval(look, ms).unref())
    every(INTERVAL_LOOK_MS, () => {
      if (this.parts.ledger.isDue() || this.quota.isDue()) this.writer.wake()
    })
    every(UPKEEP_EVERY_MS, () => {
      this.upkeep()
    })
    every(POLICY_TIME_KEPT_EVERY_MS, () => {
      this.writer.wake()
    })
    every(MARK_KEPT_EVERY_MS, () => {
      this.policy.tryToKeep()
    })
    signal.addEventListener(
      'abort',
      () => {
        this.#stopTimers()
      },
      { once: true },
    )
    return Promise.resolve()
  }

  /** Ends the usage interval, commits what waits and closes the file. Safe to call twice. */
  stop(): Promise<void> {
    this.#stopTimers()
    if (!this.#open) return Promise.resolve()
    this.#open = false
    this.outbox.stop()
    this.parts.ledger.closeAtNextCommit()
    this.parts.timeKeeper.keepAtNextCommit()
    this.changes.keepAtNextCommit()
    this.policy.tryToKeep()
    try {
      this.writer.stop()
    } finally {
      this.database.close()
      this.parts.lock.release()
    }
    return Promise.resolve()
  }

  /** One look at what has to be packed and dropped; the timer's work, also for tests. */
  upkeep(): void {
    if (!this.#open || this.writer.refused || this.parts.dumps.running > 0) return
    const { retention, channels, intake, clock, options } = this.parts
    const pressed = retention.look()
    this.writer
      .submit((database) => {
        this.outbox.leaveOld(database)
        retention.forgetOldUsage(database)
        if (!options.cloudConfigured) keepNewestEvents(database)
        // What is not published yet is still needed as it is.
        const packed = packOldest(database, clock.now().wallMs, {
          resolutionOf: channels.resolutionOf,
          upTo: intake.published,
        })
        const more = pressed && retention.shed(database)
        return packed > 0 || more
      })
      .then((more) => {
        if (more)
          setImmediate(() => {
            this.upkeep()
          })
      })
      .catch(() => undefined)
  }

  /** The writer's word that the file must not be used any more. */
  damaged(error: unknown): void {
    if (isDamage(error)) markSuspect(this.parts.options.folder, String(error))
    this.#stopTimers()
    this.parts.options.onDamage(error)
  }

  /** The writer's word that a commit failed and will be tried again: makes room first. */
  refused(error: unknown): void {
    try {
      this.parts.retention.rescue()
    } catch (cause) {
      // Not even deleting works: what waits stays in memory, and the next retry comes here again.
      this.parts.options.onRefused?.(cause)
      return
    }
    this.parts.options.onRefused?.(error)
  }

  #stopTimers(): void {
    for (const timer of this.#timers.splice(0)) clearInterval(timer)
  }
}
