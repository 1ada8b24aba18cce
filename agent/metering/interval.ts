import {
  type ClockState,
  type Epoch,
  type GatewayId,
  type Hash,
  type OrgId,
  type RecordTime,
  type SealedRecord,
  USAGE_QUALITY,
  type UsageRecord,
} from '../../cloud-sync/contract/index.ts'
import type { Register } from './register.ts'

/** Registers in one record; an organisation with more gets several records for the interval. */
const REGISTERS_PER_RECORD_MAX = 512

/** One look at all three clocks. */
export interface Moment {
  /** Since the boot of the machine, whole ms; never steps. */
  readonly monoMs: number
  /** Whole ms since 1970; may step. */
  readonly wallMs: number
  readonly clock: ClockState
  /** How far trusted time may be off, ms. */
  readonly maxErrMs: number
  /** UTC day of trusted time, YYYY-MM-DD; null where there is none. */
  readonly day: string | null
}

/** The interval that is being counted; kept in the database, so that a start after a power cut can close it. */
export interface Interval {
  readonly monoStart: number
  readonly wallStart: number
  readonly clock: ClockState
  readonly maxErrMs: number
  readonly day: string | null
  /** Latest day any interval had; a later one is never labelled with an earlier day. */
  readonly dayFloor: string | null
  readonly bootId: string
}

/** Begins an interval. Days never go back, so a clock set back keeps the day it was (I11). */
export function openInterval(now: Moment, bootId: string, before: Interval | null): Interval {
  const { monoMs: monoStart, wallMs: wallStart, clock, maxErrMs } = now
  const floor = before?.dayFloor ?? null
  const day = now.day !== null && floor !== null && now.day < floor ? floor : now.day
  return { monoStart, wallStart, clock, maxErrMs, day, dayFloor: day ?? floor, bootId }
}

/**
 * Why this interval ends now, or null. `day` comes before what was just counted (it belongs to the new day), `due`
 * after it. Durations are monotonic only.
 */
export function endOf(interval: Interval, now: Moment, lengthMs: number): 'day' | 'due' | null {
  const next = openInterval(now, interval.bootId, interval)
  if (next.day !== interval.day) return 'day'
  return now.monoMs - interval.monoStart >= lengthMs ? 'due' : null
}

export interface Closing {
  readonly interval: Interval
  readonly end: { readonly monoMs: number; readonly wallMs: number }
  /** Registers that moved; each is named with its end. */
  readonly moved: readonly Register[]
  /** Quality bits of USAGE_QUALITY to set on every register, e.g. where a power cut ended the interval. */
  readonly q: number
}

/** What every record of a gateway says about itself. */
export interface Stamp {
  readonly gw: GatewayId
  readonly epoch: Epoch
  readonly aclVersion: number
  readonly sw: string
  readonly cfg: string
}

/** Where the chain stands: the next number and the hash before it. */
export interface ChainHead {
  readonly next: number
  readonly hash: Hash
}

/** Encodes and hashes; `sealRecord` of the codec. */
export type Seal = (record: UsageRecord) => SealedRecord

/** One record for each organisation whose registers moved, chained after `head`. Pure. */
export function closeInterval(
  closing: Closing,
  stamp: Stamp,
  chain: { head: ChainHead; seal: Seal },
): SealedRecord[] {
  const { interval, moved } = closing
  const time = timeOf(interval, closing.end)
  const q = closing.q | (time.clock === 'unsynced' ? 1 << USAGE_QUALITY.CLOCK_INVALID : 0)
  const sealed: SealedRecord[] = []
  let { next, hash } = chain.head
  for (const { org, registers } of byOrganisation(moved)) {
    const record: UsageRecord = {
      v: 1,
      ...stamp,
      seq: next,
      prev: hash,
      kind: 'interval',
      org,
      registers: registers.map((register) => endRow(register, q)),
      bootId: interval.bootId,
      time,
      event: null,
      corrects: null,
    }
    const one = chain.seal(record)
    sealed.push(one)
    next += 1
    hash = one.hash
  }
  return sealed
}

/** A record without registers that says what happened, e.g. `clock_step` (metering.md 4.5, rule 5). */
export function eventRecord(
  event: { readonly name: string; readonly org: OrgId; readonly bootId: string; readonly now: Moment },
  stamp: Stamp,
  chain: { head: ChainHead; seal: Seal },
): SealedRecord {
  const { monoMs, wallMs } = event.now
  const interval = openInterval(event.now, event.bootId, null)
  return chain.seal({
    v: 1,
    ...stamp,
    seq: chain.head.next,
    prev: chain.head.hash,
    kind: 'event',
    org: event.org,
    registers: [],
    bootId: event.bootId,
    time: timeOf(interval, { monoMs, wallMs }),
    event: event.name,
    corrects: null,
  })
}

function timeOf(interval: Interval, end: { monoMs: number; wallMs: number }): RecordTime {
  const { monoStart, wallStart, clock, maxErrMs, day } = interval
  return { monoStart, monoEnd: end.monoMs, wallStart, wallEnd: end.wallMs, clock, maxErrMs, tz: 'UTC', day }
}

function endRow(register: Register, q: number): UsageRecord['registers'][number] {
  const { meter, subject, gen, end, custodian, workspace, billable } = register
  return { meter, subject, gen, end, custodian, workspace, billable, q: q | register.q }
}

/** Organisations and registers in a fixed order, so that the same state gives the same bytes. */
function* byOrganisation(moved: readonly Register[]): Generator<{ org: OrgId; registers: Register[] }> {
  const sorted = moved.toSorted((a, b) => (a.org < b.org ? -1 : a.org > b.org ? 1 : a.id - b.id))
  let start = 0
  while (start < sorted.length) {
    const org = sorted[start]?.org
    if (org === undefined) return
    let end = start
    while (end < sorted.length && end - start < REGISTERS_PER_RECORD_MAX && sorted[end]?.org === org) end += 1
    yield { org, registers: sorted.slice(start, end) }
    start = end
  }
}
