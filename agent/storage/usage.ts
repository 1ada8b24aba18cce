import type { Database } from 'better-sqlite3'
import { type Epoch, type GatewayId, type OrgId, USAGE_QUALITY } from '../../cloud-sync/contract/index.ts'
import {
  type DayOf,
  endOf,
  eventDraft,
  type Increment,
  type Interval,
  labelOf,
  type Moment,
  openInterval,
  type Register,
  RegisterBook,
  type Zones,
} from '../metering/index.ts'
import { readMeta, readMetaNumber, writeMeta } from './meta.ts'
import { loadRegisters } from './registers.ts'
import { streamState } from './streams.ts'
import { storedIncrements } from './stored-bytes.ts'
import { loadPast, type UsagePast } from './usage-past.ts'
import { forgetUsageStarts, noteUsageStart } from './usage-starts.ts'
import { UsageTurn } from './usage-turn.ts'

/** Trusted time is kept at most this often, ms: a start may then lose that much of the high-water mark. */
const HIGH_WATER_EVERY_MS = 60_000

/** The part of agent/clock that the store needs. */
export interface StoreClock {
  readonly bootId: string
  now(): Moment
  /** Latest trusted time, epoch ms; kept for the next start. */
  highWaterMs(): number | null
}

export interface UsageOptions {
  readonly gateway: GatewayId
  readonly clock: StoreClock
  /** Length of an interval, ms, monotonic. */
  readonly intervalMs: number
  readonly sw: string
  /** Names the configuration in every record, e.g. the first digits of its hash. */
  readonly cfg: string
  /** What the snapshot in force says. */
  readonly inForce: {
    readonly version: () => number
    readonly zones: () => Zones
    /** Whose the gateway is: the events of the gateway itself are theirs. */
    readonly organisation: () => OrgId
    /** Whose it is has to be decided: nothing is to be valued until then. */
    readonly isDisputed: () => boolean
  }
}

/** Something that happened, for the chain. */
export interface UsageEvent {
  readonly name: string
  readonly org: OrgId
  /** Of a step of the wall clock: what it showed before, epoch ms. */
  readonly wallBefore?: number
}

/** Registers, the interval that is being counted, and the chain of usage records. */
export class UsageLedger {
  readonly #options: UsageOptions
  readonly #book: RegisterBook
  #past: UsagePast
  #interval: Interval | null = null
  /** The one before, for the day floor. */
  #before: Interval | null
  #closeNext = false
  #newEpoch: Epoch | undefined
  /** Records of the epoch that is left up to here are in the ledger, in other words. */
  #covered = 0
  #events: UsageEvent[] = []
  #highWaterAt = -Infinity
  /** Latest trusted time of earlier runs. */
  readonly #lastKnownMs: number | null
  #counted: Increment[] = []
  readonly #sources: (() => Increment[])[] = []
  /** By key of meta. */
  readonly #kept = new Map<string, unknown>()

  constructor(database: Database, options: UsageOptions) {
    this.#options = options
    this.#book = new RegisterBook(loadRegisters(database))
    this.#past = loadPast(database)
    this.#before = (readMeta(database, 'interval') ?? null) as Interval | null
    this.#lastKnownMs = readMetaNumber(database, 'trusted_ms')
  }

  /** Registers as committed. */
  registers(): Register[] {
    return this.#book.all()
  }

  /** True where the interval should end and something would be reported. */
  isDue(): boolean {
    const { clock, intervalMs: lengthMs, inForce } = this.#options
    const hasPast = this.#past.undated.length > 0 || this.#past.tallies.length > 0
    const now = clock.now()
    if (this.#interval === null) return hasPast && now.day !== null
    const end = endOf(this.#interval, now, { lengthMs, zones: inForce.zones() })
    return end !== null && ((end === 'day' && hasPast) || this.#book.moved().length > 0)
  }

  /** The next transaction ends the interval whatever its age: at a stop, or where owners change. */
  closeAtNextCommit(): void {
    this.#closeNext = true
  }

  /** The next transaction chains a record that says what happened. */
  noteEvent(event: UsageEvent): void {
    this.#events.push(event)
  }

  /** Asked at every transaction for what was counted since the one before; what it answered is kept until it is committed. */
  addSource(take: () => Increment[]): void {
    this.#sources.push(take)
  }

  /** The next transaction counts these and keeps, together with them, what whoever counted must remember. */
  count(
    increments: readonly Increment[],
    remember?: { readonly key: string; readonly value: unknown },
  ): void {
    this.#counted.push(...increments)
    if (remember !== undefined) this.#kept.set(remember.key, remember.value)
  }

  /**
   * This transaction leaves the stream's epoch for a new one and issues what is unconfirmed again (decisions.md, Forks).
   *
   * @param covered what records up to here say is in the ledger in other words: this database was set back. Only what
   *   comes after them is issued again.
   */
  openEpochAtThisCommit(epoch: Epoch, covered = 0): void {
    this.#newEpoch = epoch
    this.#covered = covered
  }

  /**
   * Ends the interval that a power cut left open, with the time of the last commit as its end. Called once at the start,
   * within a transaction; the answer is to be called once it is committed.
   */
  recover(database: Database, lastCommitWallMs: number | null): () => void {
    const before = streamState(database, 'usage')
    this.#noteStart(database)
    const done = this.#endOfLastRun(database, lastCommitWallMs)
    noteUsageStart(database, before)
    return done
  }

  #endOfLastRun(database: Database, lastCommitWallMs: number | null): () => void {
    const interval = this.#before
    if (interval === null || this.#book.moved().length === 0) return () => undefined
    const { wallStart, monoStart } = interval
    // The wall clock may have stepped meanwhile; a commit later than the interval's length would have ended it.
    const lengthMs = Math.min(
      Math.max(0, (lastCommitWallMs ?? wallStart) - wallStart),
      this.#options.intervalMs,
    )
    const end = { wallMs: wallStart + lengthMs, monoMs: monoStart + lengthMs }
    const turn = this.#turn(database, this.#options.clock.now())
    turn.close({ interval, end, q: 1 << USAGE_QUALITY.POWER_FAIL })
    const { registers, past } = turn.save()
    return () => {
      this.#book.apply(registers)
      this.#past = past
    }
  }

  /**
   * Within a commit: counts `increments` (asked for once the days are known), ends the interval where it is time, before
   * them where a day changed. The answer is to be called once it is committed.
   */
  write(database: Database, increments: (dayOf: DayOf) => Increment[]): () => void {
    const now = this.#options.clock.now()
    const turn = this.#turn(database, now)
    const opened = this.#turnOfDay(database, turn, now)
    turn.settle(opened, this.#interval ?? this.#before)
    for (const take of this.#sources) this.#counted.push(...take())
    const counted = [...this.#counted, ...increments((org) => labelOf(opened, org)?.day ?? null)]
    turn.count(counted, opened.day === null ? now.monoMs : null)
    const next = this.#endIfDue(turn, opened, now)
    if (this.#newEpoch !== undefined) {
      turn.changeEpoch(this.#newEpoch, this.#covered)
      forgetUsageStarts(database)
    }
    const { registers, past } = turn.save()
    if (next !== this.#interval) writeMeta(database, 'interval', next)
    const highWaterAt = this.#keepHighWater(database, now)
    const noted = this.#events.length
    const given = this.#counted.length
    const kept = [...this.#kept]
    for (const [key, value] of kept) writeMeta(database, key, value)
    return () => {
      this.#counted = this.#counted.slice(given)
      for (const [key, value] of kept) if (this.#kept.get(key) === value) this.#kept.delete(key)
      this.#book.apply(registers)
      this.#past = past
      this.#interval = next
      this.#closeNext = false
      this.#newEpoch = undefined
      this.#highWaterAt = highWaterAt
      this.#events = this.#events.slice(noted)
    }
  }

  #turn(database: Database, now: Moment): UsageTurn {
    const { gateway: gw, sw, cfg, inForce } = this.#options
    return new UsageTurn(database, {
      book: this.#book,
      past: this.#past,
      now,
      stamp: { gw, aclVersion: inForce.version(), sw, cfg },
      zones: inForce.zones(),
      lastKnownMs: this.#lastKnownMs,
      q: inForce.isDisputed() ? 1 << USAGE_QUALITY.DNV : 0,
    })
  }

  #turnOfDay(database: Database, turn: UsageTurn, now: Moment): Interval {
    const { clock, intervalMs: lengthMs, inForce } = this.#options
    const zones = inForce.zones()
    const before = this.#interval ?? this.#before
    if (this.#interval !== null) {
      if (endOf(this.#interval, now, { lengthMs, zones }) !== 'day') return this.#interval
      if (this.#interval.day !== null) turn.count(storedIncrements(database, this.#book))
      turn.close({ interval: this.#interval, end: now, q: 0 })
    }
    return openInterval(now, clock.bootId, { before, zones })
  }

  /** What happened stands behind what was used until then, and a step of the clock marks the interval. */
  #endIfDue(turn: UsageTurn, opened: Interval, now: Moment): Interval {
    const { clock, intervalMs: lengthMs, inForce } = this.#options
    const zones = inForce.zones()
    const isStepped = this.#events.some(({ name }) => name === 'clock_step')
    const interval = isStepped && opened.isStepped !== true ? { ...opened, isStepped } : opened
    const ends = this.#closeNext || endOf(interval, now, { lengthMs, zones }) !== null
    if (ends) turn.close({ interval, end: now, q: 0 })
    turn.chain(this.#events.map((event) => eventDraft({ ...event, interval, now })))
    return ends ? openInterval(now, clock.bootId, { before: interval, zones }) : interval
  }

  /** What is different from the last start. Nothing on a new gateway. */
  #noteStart(database: Database): void {
    const { clock, cfg, inForce } = this.#options
    const org = inForce.organisation()
    const before = readMeta(database, 'cfg')
    if (before !== cfg) this.#kept.set('cfg', cfg)
    if (this.#before === null) return
    // Always one of them: it stands before whatever this run counts, which tells two starts apart (usage-starts.ts).
    this.noteEvent({ name: this.#before.bootId === clock.bootId ? 'start' : 'boot', org })
    if (before !== undefined && before !== cfg) this.noteEvent({ name: 'config_change', org })
  }

  #keepHighWater(database: Database, now: Moment): number {
    if (now.monoMs - this.#highWaterAt < HIGH_WATER_EVERY_MS) return this.#highWaterAt
    const highWaterMs = this.#options.clock.highWaterMs()
    if (highWaterMs !== null) writeMeta(database, 'trusted_ms', highWaterMs)
    return now.monoMs
  }
}
