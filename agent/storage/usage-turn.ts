import type { Database } from 'better-sqlite3'
import { sealRecord } from '../../cloud-sync/codec/index.ts'
import { type Epoch, type Meter, type SealedRecord, USAGE_QUALITY } from '../../cloud-sync/contract/index.ts'
import {
  chained,
  type Closing,
  dayAssignDraft,
  dayCloseDraft,
  type Draft,
  type Increment,
  type Interval,
  intervalDrafts,
  floorOf,
  labelOf,
  type Moment,
  movedIn,
  overdue,
  type Piece,
  place,
  type Placed,
  readIn,
  type Register,
  type RegisterBook,
  type Stamp,
  tallied,
  totalsOf,
  type Undated,
  type Zones,
} from '../metering/index.ts'
import { saveRegisters } from './registers.ts'
import { streamState } from './streams.ts'
import { openUsageEpoch, storeRecords } from './usage-epoch.ts'
import { savePast, type UsagePast } from './usage-past.ts'

export interface TurnParts {
  readonly book: RegisterBook
  readonly past: UsagePast
  readonly now: Moment
  readonly stamp: Omit<Stamp, 'epoch'>
  readonly zones: Zones
  /** Latest trusted time of earlier runs, epoch ms. */
  readonly lastKnownMs: number | null
  /** Quality bits of everything that is reported in this turn. */
  readonly q: number
}

/** What one transaction does to registers and chain. Nothing in memory changes before it is committed. */
export class UsageTurn {
  readonly #database: Database
  readonly #parts: TurnParts
  /** Registers as this transaction leaves them. */
  readonly #draft = new Map<number, Register>()
  #past: UsagePast

  constructor(database: Database, parts: TurnParts) {
    this.#database = database
    this.#parts = parts
    this.#past = parts.past
  }

  /** @param readAt monotonic ms; null where the day is known, which is all that matters of it then */
  count(increments: readonly Increment[], readAt: number | null = null): void {
    const noted = increments.map((increment) =>
      readAt !== null && increment.meter === 'sensor.readings' ? { ...increment, at: readAt } : increment,
    )
    this.#keep(this.#parts.book.plan(noted, this.#draft))
  }

  /** Chains a record for each organisation whose registers moved. */
  close({ interval, end, q }: Omit<Closing, 'moved'>): void {
    const moved = this.#moved()
    if (moved.length === 0) return
    const drafts = intervalDrafts({ interval, end, moved, q: q | this.#parts.q })
    const sealed = this.chain(drafts.map(({ draft }) => draft))
    for (const [index, { registers }] of drafts.entries()) {
      const record = sealed[index]?.record
      if (record !== undefined) this.#remember(record, registers)
    }
    this.#report(moved)
  }

  /** Where time is trusted: gives undated records their days, and closes days that are over. */
  settle(opened: Interval, before: Interval | null): void {
    const { trustedMs, monoMs } = this.#parts.now
    if (opened.day === null || trustedMs === null) return
    if (this.#past.undated.length > 0) {
      const { zones, lastKnownMs } = this.#parts
      const known = { bootId: opened.bootId, monoMs, trustedMs, lastKnownMs, zones }
      const placed = place(this.#past.undated, { ...known, floorOf: (org) => floorOf(before, org) })
      for (const one of placed) for (const piece of one.pieces) this.#assign(one, piece)
      this.#past = { ...this.#past, undated: [] }
    }
    const { over, open } = overdue(this.#past.tallies, (org) => labelOf(opened, org)?.day ?? null)
    if (over.length === 0) return
    const { bootId } = opened
    const { now } = this.#parts
    this.chain(
      over.map((tally) => {
        const label = { day: tally.day, tz: tally.tz }
        return dayCloseDraft({ org: tally.org, label, close: totalsOf(tally), bootId, now })
      }),
    )
    this.#past = { ...this.#past, tallies: open }
  }

  chain(drafts: readonly Draft[]): SealedRecord[] {
    if (drafts.length === 0) return []
    const stream = streamState(this.#database, 'usage')
    const stamp = { ...this.#parts.stamp, epoch: stream.epoch }
    const head = { next: stream.next, hash: stream.head }
    const sealed = chained(drafts, stamp, { head, seal: sealRecord })
    storeRecords(this.#database, sealed, this.#parts.now.wallMs)
    return sealed
  }

  /** @param covered records of the old epoch up to here are in the ledger already */
  changeEpoch(epoch: Epoch, covered: number): void {
    const changed = openUsageEpoch(this.#database, {
      epoch,
      covered,
      registers: [...this.#standing().values()],
      undated: this.#past.undated,
      madeAt: this.#parts.now.wallMs,
    })
    this.#keep(changed.registers)
    this.#past = { ...this.#past, undated: changed.undated }
  }

  /** Writes what changed; the answer is what memory is to hold once it is committed. */
  save(): { readonly registers: readonly Register[]; readonly past: UsagePast } {
    const registers = [...this.#draft.values()]
    saveRegisters(this.#database, registers)
    savePast(this.#database, this.#parts.past, this.#past)
    return { registers, past: this.#past }
  }

  #assign({ undated, isEstimated }: Placed, piece: Piece): void {
    const { org, bootId, time, seq } = undated
    const { label, share } = piece
    const increments = readIn(undated, piece).map(({ subject, owner, billable }): Increment => {
      return { meter: 'sensor.active_day', subject, owner, billable, by: 1n, day: label.day }
    })
    const sensorDays = this.#parts.book.plan(increments, this.#draft)
    this.#keep(sensorDays)
    const q = this.#parts.q | (isEstimated ? 1 << USAGE_QUALITY.EST : 0)
    const clock = isEstimated ? 'unsynced' : this.#parts.now.clock
    const known = { org, bootId, corrects: seq, time: { ...time, clock }, label, share }
    this.chain([dayAssignDraft({ ...known, sensorDays, q })])
    const counted = sensorDays.map(({ meter, end, reported }) => ({ meter, by: end - reported }))
    const moved = [...movedIn({ undated, piece }), ...counted]
    this.#past = { ...this.#past, tallies: tallied(this.#past.tallies, { org, label, moved }) }
    this.#report(sensorDays)
  }

  /** A record counts towards its day, or waits until that is known. */
  #remember(record: SealedRecord['record'], registers: readonly Register[]): void {
    const { org, seq, bootId, time } = record
    const moved = registers.map(({ meter, end, reported }) => ({ meter, by: end - reported }))
    if (time.day !== null) {
      const label = { day: time.day, tz: time.tz }
      this.#past = { ...this.#past, tallies: tallied(this.#past.tallies, { org, label, moved }) }
      return
    }
    const read = registers.flatMap((register) => {
      const { meter, subject, billable, org, ownerEpoch, custodian, workspace, readAt = null } = register
      if (meter !== 'sensor.readings') return []
      return [{ subject, billable, owner: { org, ownerEpoch, custodian, workspace }, readAt }]
    })
    const texts = moved.map(({ meter, by }): [Meter, string] => [meter, by.toString()])
    const undated: Undated = { seq, epoch: null, org, bootId, time, moved: texts, read }
    this.#past = { ...this.#past, undated: [...this.#past.undated, undated] }
  }

  #standing(): Map<number, Register> {
    const standing = new Map(this.#parts.book.all().map((register) => [register.id, register]))
    for (const register of this.#draft.values()) standing.set(register.id, register)
    return standing
  }

  /** What is left of a generation that has ended says so: nothing more will come. */
  #moved(): Register[] {
    const standing = this.#standing()
    const newest = new Map<string, number>()
    for (const { meter, subject, gen } of standing.values()) {
      const name = `${meter} ${subject}`
      newest.set(name, Math.max(newest.get(name) ?? 0, gen))
    }
    return [...standing.values()].flatMap((register) => {
      if (register.end === register.reported) return []
      const isLast = newest.get(`${register.meter} ${register.subject}`) === register.gen
      return [isLast ? register : { ...register, q: register.q | (1 << USAGE_QUALITY.RESIDUAL) }]
    })
  }

  #report(registers: readonly Register[]): void {
    this.#keep(
      registers.map((register) => ({ ...register, reported: register.end, q: 0, src: null, readAt: null })),
    )
  }

  #keep(registers: readonly Register[]): void {
    for (const register of registers) this.#draft.set(register.id, register)
  }
}
