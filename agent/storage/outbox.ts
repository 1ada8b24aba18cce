import type { Database } from 'better-sqlite3'
import type { Ack, Epoch, Stream } from '../../cloud-sync/contract/index.ts'
import type { Outbox, StoredBatch } from '../../cloud-sync/gateway/index.ts'
import { acknowledge } from './acknowledge.ts'
import {
  type BatchContext,
  type Item,
  makeEventBatch,
  makeReadingBatch,
  makeUsageBatch,
  type ReadingStream,
} from './batches.ts'
import { firstReleased, holdsIn, noteSent } from './holds.ts'
import {
  firstBackfill,
  lastBackfill,
  liveNext,
  moveToBackfill,
  setLiveNext,
  shrinkBackfill,
} from './lanes.ts'
import { LiveAge } from './live-age.ts'
import { batchAfter, madeOf } from './outbox-rows.ts'
import { itemsInRange, itemsNotHeld, itemsOf, liveItems, markBatched } from './reading-items.ts'
import { streamState, streamsStatus } from './streams.ts'
import type { UsageLedger } from './usage.ts'
import { usageMarks } from './usage-starts.ts'
import type { Writer } from './writer.ts'

/** Readings that make a live batch at once, ms that make one of fewer. */
const LIVE_READINGS = 1000
export const LIVE_DELAY_MS = 5000
/** A reading older than this goes by the back-fill lane, so that the live lane stays live after an outage. */
const LIVE_AGE_MS = 120_000
/** Readings aimed at in one batch of back-fill. */
const BACKFILL_READINGS = 6000
/** Made and unacknowledged batches of one stream; no more are made until some are acknowledged. */
const UNACKED_BATCHES_MAX = 256

export interface OutboxOptions {
  readonly context: BatchContext
  readonly ledger: UsageLedger
  readonly monoMs: () => number
  readonly wallMs: () => number
  /** Running time ever counted, ms. */
  readonly runningMs: () => number
  readonly newEpoch: () => Epoch
  /** Smaller batches sooner, e.g. in a demo, ms. */
  readonly liveDelayMs?: number
}

/** The outbox of the gateway in SQLite. Batches are made when asked for, and stored before they are handed out. */
export class SqliteOutbox implements Outbox {
  readonly #database: Database
  readonly #writer: Writer
  readonly #options: OutboxOptions
  readonly #liveDelayMs: number
  readonly #age = new LiveAge()
  readonly #listeners = new Set<(stream: Stream) => void>()
  #due: NodeJS.Timeout | undefined
  #seen: Record<'usage' | 'evt' | 'rd/h', number>

  constructor(database: Database, writer: Writer, options: OutboxOptions) {
    this.#database = database
    this.#writer = writer
    this.#options = options
    this.#liveDelayMs = options.liveDelayMs ?? LIVE_DELAY_MS
    this.#seen = { usage: this.#next('usage'), evt: this.#next('evt'), 'rd/h': this.#lastToSend() }
    writer.join({ name: 'outbox', write: () => this.#afterCommit })
  }

  async next(stream: Stream, after: number): Promise<StoredBatch | undefined> {
    const stored = this.#stored(stream, after)
    if (stored !== undefined) return stored
    if (!this.#mayMake(stream)) return undefined
    const made = this.#writer.submit((database) => {
      this.#make(database, stream, after)
    })
    this.#writer.hurry()
    await made
    return this.#stored(stream, after)
  }

  async acknowledge(stream: Stream, ack: Ack): Promise<void> {
    const { context, ledger, newEpoch, wallMs, runningMs } = this.#options
    await this.#writer.submit((database) => {
      const at = { wallMs: wallMs(), runningMs: runningMs() }
      acknowledge(database, { stream, ack, context, ledger, newEpoch, ...at })
    })
    this.#tell(stream)
  }

  streams(): ReturnType<Outbox['streams']> {
    const status = streamsStatus(this.#database)
    const marks = usageMarks(this.#database, streamState(this.#database, 'usage'))
    return marks.length === 0 || status.usage === undefined
      ? status
      : { ...status, usage: { ...status.usage, marks } }
  }

  onWaiting(listener: (stream: Stream) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Readings were committed; called by the store. */
  committed(last: number, readings: number): void {
    this.#age.add(last, this.#options.monoMs(), readings)
    this.#checkLive()
  }

  /** Hands what grew too old for the live lane to the back-fill lane, within the caller's transaction. */
  leaveOld(database: Database): void {
    const tooOld = this.#age.lastBefore(this.#options.monoMs() - LIVE_AGE_MS)
    if (tooOld !== undefined) moveToBackfill(database, tooOld)
  }

  stop(): void {
    clearTimeout(this.#due)
    this.#due = undefined
    this.#listeners.clear()
  }

  /** Usage and events may leave a hole before the next stored batch, after the cloud was set back: it is filled first. */
  #stored(stream: Stream, after: number): StoredBatch | undefined {
    const batch = batchAfter(this.#database, stream, after)
    if (batch === undefined || stream === 'rd' || stream === 'rd/h') return batch
    return batch.first > this.#firstWanted(stream, after) ? undefined : batch
  }

  #firstWanted(stream: Stream, after: number): number {
    return Math.max(after, streamState(this.#database, stream).acked) + 1
  }

  #mayMake(stream: Stream): boolean {
    if (madeOf(this.#database, stream).count >= UNACKED_BATCHES_MAX) return false
    switch (stream) {
      case 'usage':
      case 'evt':
        return true
      case 'rd':
        return this.#liveIsDue()
      case 'rd/h':
        return firstBackfill(this.#database) !== undefined || firstReleased(this.#database) !== undefined
    }
  }

  #make(database: Database, stream: Stream, after: number): void {
    const { context } = this.#options
    switch (stream) {
      case 'usage':
      case 'evt': {
        const first = this.#firstWanted(stream, after)
        const end = batchAfter(database, stream, first - 1)?.first ?? streamState(database, stream).next
        if (stream === 'usage') makeUsageBatch(database, context, { first, end })
        else makeEventBatch(database, context, { first, end })
        return
      }
      case 'rd':
        this.#makeLive(database)
        return
      case 'rd/h':
        if (!this.#makeBackfill(database)) this.#makeReleased(database)
    }
  }

  #makeLive(database: Database): void {
    this.leaveOld(database)
    for (;;) {
      const found = liveItems(database, liveNext(database), LIVE_READINGS)
      if (found.length === 0) return
      const made = this.#makeReadings(database, 'rd', { found, items: this.#notHeld(database, found) })
      setLiveNext(database, made.done + 1)
      if (made.any) return
    }
  }

  /** False where the lane has nothing to send. */
  #makeBackfill(database: Database): boolean {
    for (;;) {
      const range = firstBackfill(database)
      if (range === undefined) return false
      const found = itemsInRange(database, range, BACKFILL_READINGS)
      if (found.length === 0) {
        // Retention dropped it all, and counted it.
        shrinkBackfill(database, range, range.last)
        continue
      }
      const made = this.#makeReadings(database, 'rd/h', { found, items: this.#notHeld(database, found) })
      markBatched(
        database,
        found.filter(({ last }) => last <= made.done),
      )
      shrinkBackfill(database, range, made.done)
      if (made.any) return true
    }
  }

  /** What waited because a workspace was over its limit goes after what everybody else still has to send. */
  #makeReleased(database: Database): void {
    const { channels } = this.#options.context
    for (;;) {
      const hold = firstReleased(database)
      if (hold?.last == null) return
      const range = { first: hold.sent + 1, last: hold.last }
      const found = itemsInRange(database, range, BACKFILL_READINGS)
      const items = itemsOf(found, (channel) => hold.devices.has(channels.get(channel)?.device ?? ''))
      const made = this.#makeReadings(database, 'rd/h', { found, items })
      // Nothing left there: retention dropped it, and counted it.
      noteSent(database, hold, found.length === 0 ? hold.last : made.done)
      if (made.any) return
    }
  }

  #notHeld(database: Database, found: readonly Item[]): readonly Item[] {
    return itemsNotHeld(found, { holds: holdsIn(database), channels: this.#options.context.channels })
  }

  /** A batch of as many of `items` as fit. `done` = the last window of which nothing is left to send. */
  #makeReadings(
    database: Database,
    stream: ReadingStream,
    { found, items }: { found: readonly Item[]; items: readonly Item[] },
  ): { any: boolean; done: number } {
    const all = { any: items.length > 0, done: found.at(-1)?.last ?? 0 }
    if (items.length === 0) return all
    const taken = makeReadingBatch(database, stream, { items, context: this.#options.context })
    const last = items[taken - 1]
    return taken === items.length || last === undefined ? all : { any: true, done: last.last }
  }

  #liveIsDue(): boolean {
    const waiting = this.#age.waiting(liveNext(this.#database))
    if (waiting === undefined) return false
    return (
      waiting.readings >= LIVE_READINGS || this.#options.monoMs() - waiting.sinceMonoMs >= this.#liveDelayMs
    )
  }

  #checkLive(): void {
    if (this.#liveIsDue()) {
      this.#tell('rd')
      return
    }
    if (this.#age.waiting(liveNext(this.#database)) === undefined) return
    this.#due ??= setTimeout(() => {
      this.#due = undefined
      this.#checkLive()
    }, this.#liveDelayMs).unref()
  }

  readonly #afterCommit = (): void => {
    for (const stream of ['usage', 'evt'] as const) {
      const next = this.#next(stream)
      if (next === this.#seen[stream]) continue
      this.#seen = { ...this.#seen, [stream]: next }
      this.#tell(stream)
    }
    const backfill = this.#lastToSend()
    const more = backfill > this.#seen['rd/h']
    this.#seen = { ...this.#seen, 'rd/h': backfill }
    if (more) this.#tell('rd/h')
  }

  /** Moves on with each window that the back-fill lane gets to send. */
  #lastToSend(): number {
    return Math.max(lastBackfill(this.#database), firstReleased(this.#database)?.last ?? 0)
  }

  #next(stream: Stream): number {
    return streamState(this.#database, stream).next
  }

  #tell(stream: Stream): void {
    for (const listener of this.#listeners) listener(stream)
  }
}
