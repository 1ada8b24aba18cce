import type { Database } from 'better-sqlite3'
import { decodeRecord, sealRecord } from '../../cloud-sync/codec/index.ts'
import {
  type Epoch,
  type GatewayId,
  type OrgId,
  type SealedRecord,
  USAGE_QUALITY,
} from '../../cloud-sync/contract/index.ts'
import {
  type Closing,
  closeInterval,
  endOf,
  eventRecord,
  type Increment,
  type Interval,
  type Moment,
  openInterval,
  type Register,
  RegisterBook,
  restate,
  type Stamp,
} from '../metering/index.ts'
import { readMeta, writeMeta } from './meta.ts'
import { dropBatches } from './outbox-rows.ts'
import { loadRegisters, saveRegisters } from './registers.ts'
import { advance, openEpoch, streamState } from './streams.ts'
import { prepared } from './prepared.ts'

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
  /** Version of the snapshot in force. */
  aclVersion(): number
}

/** Registers, the interval that is being counted, and the chain of usage records. */
export class UsageLedger {
  readonly #options: UsageOptions
  readonly #book: RegisterBook
  #interval: Interval | null = null
  /** The one before, for the day floor. */
  #before: Interval | null
  #closeNext = false
  #newEpoch: Epoch | undefined
  #events: { name: string; org: OrgId }[] = []
  #highWaterAt = -Infinity
  #counted: Increment[] = []
  /** By key of meta. */
  readonly #kept = new Map<string, unknown>()

  constructor(database: Database, options: UsageOptions) {
    this.#options = options
    this.#book = new RegisterBook(loadRegisters(database))
    this.#before = (readMeta(database, 'interval') ?? null) as Interval | null
  }

  /** Registers as committed. */
  registers(): Register[] {
    return this.#book.all()
  }

  /** True where the interval should end and something would be reported. */
  isDue(): boolean {
    const { clock, intervalMs } = this.#options
    if (this.#interval === null || this.#book.moved().length === 0) return false
    return endOf(this.#interval, clock.now(), intervalMs) !== null
  }

  /** The next transaction ends the interval whatever its age: at a stop, or where owners change. */
  closeAtNextCommit(): void {
    this.#closeNext = true
  }

  /** The next transaction chains a record that says what happened. */
  noteEvent(name: string, org: OrgId): void {
    this.#events.push({ name, org })
  }

  /** The next transaction counts these and keeps, together with them, what whoever counted must remember. */
  count(increments: readonly Increment[], { key, value }: { key: string; value: unknown }): void {
    this.#counted.push(...increments)
    this.#kept.set(key, value)
  }

  /** This transaction leaves the stream's epoch for a new one and issues what is unconfirmed again (decisions.md, Forks). */
  openEpochAtThisCommit(epoch: Epoch): void {
    this.#newEpoch = epoch
  }

  /**
   * Ends the interval that a power cut left open, with the time of the last commit as its end. Called once at the start,
   * within a transaction; the answer is to be called once it is committed.
   */
  recover(database: Database, lastCommitWallMs: number | null): () => void {
    const interval = this.#before
    const moved = this.#book.moved()
    if (interval === null || moved.length === 0) return () => undefined
    const wallMs = Math.max(interval.wallStart, lastCommitWallMs ?? interval.wallStart)
    const end = { wallMs, monoMs: interval.monoStart + wallMs - interval.wallStart }
    const q = 1 << USAGE_QUALITY.POWER_FAIL
    const closed = this.#close(database, { interval, end, moved, q })
    return () => {
      this.#book.apply(closed)
    }
  }

  /**
   * Within a commit: counts `increments` (asked for once the day is known), ends the interval where it is time, before
   * them where the day changed. The answer is to be called once it is committed.
   */
  write(database: Database, increments: (day: string | null) => Increment[]): () => void {
    const now = this.#options.clock.now()
    const draft = new Map<number, Register>()
    const interval = this.#turnOfDay(database, now, draft)
    const increased = [...this.#counted, ...increments(interval.day)]
    for (const register of this.#book.plan(increased)) keepReported(draft, register, increased)
    for (const event of this.#events) this.#chainEvent(database, event, now)
    const next = this.#endIfDue(database, { interval, now, draft })
    this.#changeEpoch(database, draft, now)
    saveRegisters(database, [...draft.values()])
    if (next !== this.#interval) writeMeta(database, 'interval', next)
    const highWaterAt = this.#keepHighWater(database, now)
    const noted = this.#events.length
    const given = this.#counted.length
    const kept = [...this.#kept]
    for (const [key, value] of kept) writeMeta(database, key, value)
    return () => {
      this.#counted = this.#counted.slice(given)
      for (const [key, value] of kept) if (this.#kept.get(key) === value) this.#kept.delete(key)
      this.#book.apply([...draft.values()])
      this.#interval = next
      this.#closeNext = false
      this.#newEpoch = undefined
      this.#highWaterAt = highWaterAt
      this.#events = this.#events.slice(noted)
    }
  }

  #turnOfDay(database: Database, now: Moment, draft: Map<number, Register>): Interval {
    const { clock, intervalMs } = this.#options
    if (this.#interval === null) return openInterval(now, clock.bootId, this.#before)
    if (endOf(this.#interval, now, intervalMs) !== 'day') return this.#interval
    const moved = this.#book.moved()
    for (const register of this.#close(database, { interval: this.#interval, end: now, moved, q: 0 })) {
      draft.set(register.id, register)
    }
    return openInterval(now, clock.bootId, this.#interval)
  }

  #endIfDue(
    database: Database,
    { interval, now, draft }: { interval: Interval; now: Moment; draft: Map<number, Register> },
  ): Interval {
    const { clock, intervalMs } = this.#options
    if (!this.#closeNext && endOf(interval, now, intervalMs) === null) return interval
    const standing = new Map(this.#book.moved().map((register) => [register.id, register]))
    for (const register of draft.values()) standing.set(register.id, register)
    const moved = [...standing.values()].filter((register) => register.end !== register.reported)
    for (const register of this.#close(database, { interval, end: now, moved, q: 0 })) {
      draft.set(register.id, register)
    }
    return openInterval(now, clock.bootId, interval)
  }

  /** Makes and stores the records; answers the registers with what is now reported. */
  #close(database: Database, closing: Closing): Register[] {
    const stream = streamState(database, 'usage')
    const head = { next: stream.next, hash: stream.head }
    const records = closeInterval(closing, this.#stamp(stream), { head, seal: sealRecord })
    this.#store(database, records)
    const reported = closing.moved.map((register) => ({ ...register, reported: register.end, q: 0 }))
    saveRegisters(database, reported)
    return reported
  }

  #changeEpoch(database: Database, draft: Map<number, Register>, now: Moment): void {
    if (this.#newEpoch === undefined) return
    const standing = new Map(this.#book.all().map((register) => [register.id, register]))
    for (const register of draft.values()) standing.set(register.id, register)
    const changed = openUsageEpoch(database, {
      epoch: this.#newEpoch,
      registers: [...standing.values()],
      madeAt: now.wallMs,
    })
    for (const register of changed) draft.set(register.id, register)
  }

  #chainEvent(database: Database, event: { name: string; org: OrgId }, now: Moment): void {
    const stream = streamState(database, 'usage')
    const { bootId } = this.#options.clock
    const head = { next: stream.next, hash: stream.head }
    this.#store(database, [
      eventRecord({ ...event, bootId, now }, this.#stamp(stream), { head, seal: sealRecord }),
    ])
  }

  #stamp(stream: { epoch: Stamp['epoch'] }): Stamp {
    const { gateway, sw, cfg } = this.#options
    return { gw: gateway, epoch: stream.epoch, aclVersion: this.#options.aclVersion(), sw, cfg }
  }

  #store(database: Database, records: readonly SealedRecord[]): void {
    storeRecords(database, records, this.#options.clock.now().wallMs)
  }

  #keepHighWater(database: Database, now: Moment): number {
    if (now.monoMs - this.#highWaterAt < HIGH_WATER_EVERY_MS) return this.#highWaterAt
    const highWaterMs = this.#options.clock.highWaterMs()
    if (highWaterMs !== null) writeMeta(database, 'trusted_ms', highWaterMs)
    return now.monoMs
  }
}

/** Answers the registers that changed: the old ones finished, their successors begun. */
function openUsageEpoch(
  database: Database,
  { epoch, registers, madeAt }: { epoch: Epoch; registers: readonly Register[]; madeAt: number },
): Register[] {
  const before = streamState(database, 'usage')
  const unconfirmed = prepared(
    database,
    'SELECT bytes FROM usage_record WHERE epoch = ? AND seq > ? ORDER BY seq',
  )
    .pluck()
    .all(before.epoch, before.acked) as Uint8Array[]
  const confirmed = new Map(
    prepared(database, 'SELECT id, end FROM register_confirmed').safeIntegers().raw().all() as [
      bigint,
      bigint,
    ][],
  )
  const firstId = 1 + Math.max(0, ...registers.map((register) => register.id))
  const restated = restate(registers, (register) => confirmed.get(BigInt(register.id)) ?? 0n, firstId)
  dropBatches(database, 'usage')
  let { next, head } = openEpoch(database, 'usage', epoch)
  const records = unconfirmed.map((bytes) => {
    const old = decodeRecord(bytes)
    const ends = restated.reissue(old.registers, 1 << USAGE_QUALITY.REPLAY)
    const sealed = sealRecord({ ...old, epoch, seq: next, prev: head, registers: ends })
    next += 1
    head = sealed.hash
    return sealed
  })
  storeRecords(database, records, madeAt)
  return [...restated.retired, ...restated.born]
}

/** Appends sealed records to the stream `usage`; they follow its head. */
export function storeRecords(database: Database, records: readonly SealedRecord[], madeAt: number): void {
  const insert = prepared(
    database,
    'INSERT INTO usage_record (epoch, seq, hash, bytes, made_at) VALUES (?, ?, ?, ?, ?)',
  )
  for (const { record, bytes, hash } of records) insert.run(record.epoch, record.seq, hash, bytes, madeAt)
  const last = records.at(-1)
  if (last !== undefined) advance(database, 'usage', { next: last.record.seq + 1, head: last.hash })
}

/** `plan` starts from the book; where this same commit reported the register already, that stands. */
function keepReported(
  draft: Map<number, Register>,
  register: Register,
  increased: readonly Increment[],
): void {
  const before = draft.get(register.id)
  if (before === undefined) {
    draft.set(register.id, register)
    return
  }
  const own = increased.filter(
    ({ meter, subject }) => meter === register.meter && subject === register.subject,
  )
  const q = own.reduce((bits, increment) => bits | (increment.q ?? 0), before.q)
  draft.set(register.id, { ...register, reported: before.reported, q })
}
