import type { Database } from 'better-sqlite3'
import type { ChannelDef, StoredReading, Subject } from '../../cloud-sync/contract/index.ts'
import { AgentError } from '../errors.ts'
import { type Countable, Meters, type Owner } from '../metering/index.ts'
import type { ChannelBook } from './channels.ts'
import { HeldAlarms } from './held-alarms.ts'
import type { UsageLedger } from './usage.ts'
import { appendWindows, lastWindowId, publishedAt } from './windows.ts'
import type { Participant, Writer } from './writer.ts'

/** Readings that may wait for a commit; beyond it `take` refuses, and the hardware process keeps its own. */
const WAITING_READINGS_MAX = 200_000
/** So many waiting readings are committed before the window is over. */
const EARLY_READINGS = 10_000

/** A reading with everything the transaction needs to know about it. */
export interface OwnedReading {
  readonly reading: StoredReading
  readonly def: ChannelDef
  readonly subject: Subject
  /** The same object as long as the owner is the same. */
  readonly owner: Owner
  readonly countable: Countable
  /** It crossed a limit: the cloud hears of it whatever else waits. */
  readonly alarm?: boolean
}

/** What a commit appended. */
export interface CommittedWindow {
  /** Ids of its rows, first to last. */
  readonly first: number
  readonly last: number
  readonly readings: readonly StoredReading[]
}

/** Collects readings and, in one transaction, appends them, counts them and ends usage intervals. */
export class Intake implements Participant {
  readonly name = 'readings'
  /** Newest window that was published; the next commit remembers it. */
  published: number
  readonly #channels: ChannelBook
  readonly #ledger: UsageLedger
  readonly #meters = new Meters()
  readonly #listeners = new Set<(window: CommittedWindow) => void>()
  readonly #wallMs: () => number
  #waiting: StoredReading[] = []
  #alarms: OwnedReading[] = []
  readonly #heldAlarms: HeldAlarms
  #nextId: number

  constructor(
    database: Database,
    parts: { channels: ChannelBook; ledger: UsageLedger; wallMs: () => number; monoMs: () => number },
  ) {
    this.#channels = parts.channels
    this.#ledger = parts.ledger
    this.#wallMs = parts.wallMs
    this.#heldAlarms = new HeldAlarms(parts.monoMs)
    this.#nextId = lastWindowId(database) + 1
    this.published = publishedAt(database) ?? this.lastId
  }

  /** Id of the newest committed window row. */
  get lastId(): number {
    return this.#nextId - 1
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Puts readings into the open window, all or none. Throws STORE_FULL where too many wait. */
  take(readings: readonly OwnedReading[], writer: Writer): void {
    if (this.#waiting.length + readings.length > WAITING_READINGS_MAX) {
      throw new AgentError('STORE_FULL', `${this.#waiting.length} readings wait for the disk.`)
    }
    for (const owned of readings) {
      const { reading, subject, owner, countable } = owned
      if (owned.alarm === true) this.#alarms.push(owned)
      this.#waiting.push(reading)
      this.#meters.count(subject, owner, countable)
    }
    if (this.#waiting.length >= EARLY_READINGS) writer.hurry()
    else writer.wake()
  }

  /** Called after each commit that appended readings. */
  onCommitted(listener: (window: CommittedWindow) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  write(database: Database): () => void {
    const channelsSaved = this.#channels.write(database)
    const readings = this.#waiting
    const first = this.#nextId
    const { resolutionOf } = this.#channels
    const how = { firstId: first, at: this.#wallMs(), published: this.published, resolutionOf }
    const last = appendWindows(database, readings, how)
    const alarms = this.#alarms
    const told = this.#heldAlarms.write(database, alarms, first)
    const counted = this.#ledger.write(database, (dayOf) => this.#meters.increments(dayOf))
    return () => {
      channelsSaved()
      counted()
      told()
      this.#meters.clear()
      this.#waiting = []
      this.#alarms = []
      this.#nextId = last + 1
      if (readings.length === 0) return
      for (const listener of this.#listeners) listener({ first, last, readings })
    }
  }
}
