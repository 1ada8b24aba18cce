import {
  type DayLabel,
  type DayShare,
  type DayTotals,
  type Epoch,
  type GatewayId,
  type Hash,
  type LinkSource,
  type OrgId,
  type RecordTime,
  type SealedRecord,
  USAGE_QUALITY,
  type UsageRecord,
  UTC,
} from '../../cloud-sync/contract/index.ts'
import { type Interval, labelOf, type Moment } from './interval.ts'
import type { Register } from './register.ts'

/** Registers in one record; an organisation with more gets several records for the interval. */
const REGISTERS_PER_RECORD_MAX = 512

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

export interface Chain {
  readonly head: ChainHead
  readonly seal: Seal
}

/** What a record says, before it is stamped and chained. */
export type Draft = Pick<UsageRecord, 'kind' | 'org' | 'registers' | 'bootId' | 'time'> &
  Partial<Pick<UsageRecord, 'event' | 'corrects' | 'src' | 'close' | 'share'>>

/** Seals one record after the other, each with the hash of the one before. Pure. */
export function chained(drafts: readonly Draft[], stamp: Stamp, { head, seal }: Chain): SealedRecord[] {
  let { next, hash } = head
  return drafts.map((draft) => {
    const one = seal({ v: 1, ...stamp, seq: next, prev: hash, event: null, corrects: null, ...draft })
    next += 1
    hash = one.hash
    return one
  })
}

/** What an interval's end says of one organisation, with the registers that it names. */
export interface IntervalDraft {
  readonly draft: Draft
  readonly registers: readonly Register[]
}

/** One record for each organisation whose registers moved, and for each further link that it used. Pure. */
export function intervalDrafts({ interval, end, moved, q }: Closing): IntervalDraft[] {
  const bits =
    q |
    (interval.clock === 'unsynced' ? 1 << USAGE_QUALITY.CLOCK_INVALID : 0) |
    (interval.isStepped === true ? 1 << USAGE_QUALITY.CLOCK_ADJUSTED : 0)
  return [...byOrganisation(moved)].map(({ org, registers, src }) => ({
    registers,
    draft: {
      kind: 'interval',
      org,
      registers: registers.map((register) => endRow(register, bits)),
      bootId: interval.bootId,
      time: timeOf(interval, end, labelOf(interval, org)),
      ...(src !== null && { src }),
    },
  }))
}

/** A record without registers that says what happened, e.g. `clock_step` (metering.md 4.5, rule 5). */
export function eventDraft(event: {
  readonly name: string
  readonly org: OrgId
  readonly interval: Interval
  readonly now: Moment
  /** What the wall clock showed before it stepped. */
  readonly wallBefore?: number | undefined
}): Draft {
  const { name, org, interval, now, wallBefore = now.wallMs } = event
  const time = momentTime(now, labelOf(interval, org))
  return {
    kind: 'event',
    org,
    registers: [],
    bootId: interval.bootId,
    time: { ...time, wallStart: wallBefore },
    event: name,
  }
}

/** What a day that is over came to. */
export function dayCloseDraft(day: {
  readonly org: OrgId
  readonly label: DayLabel
  readonly close: DayTotals
  readonly bootId: string
  readonly now: Moment
}): Draft {
  const { org, label, close, bootId, now } = day
  return { kind: 'day_close', org, registers: [], bootId, time: momentTime(now, label), close }
}

/** Gives an undated record its day, or a share of it, with the sensor-days that it brings. */
export function dayAssignDraft(day: {
  readonly org: OrgId
  readonly bootId: string
  readonly corrects: number
  /** Of the undated record. */
  readonly time: RecordTime
  readonly label: DayLabel
  readonly share: DayShare | null
  readonly sensorDays: readonly Register[]
  readonly q: number
}): Draft {
  const { org, bootId, corrects, time, label, share, sensorDays, q } = day
  return {
    kind: 'day_assign',
    org,
    registers: sensorDays.map((register) => endRow(register, q)),
    bootId,
    time: { ...time, ...label },
    corrects,
    ...(share !== null && { share }),
  }
}

function timeOf(
  interval: Interval,
  end: { monoMs: number; wallMs: number },
  label: DayLabel | null,
): RecordTime {
  const { monoStart, wallStart, clock, maxErrMs } = interval
  const { day, tz } = label ?? { day: null, tz: UTC }
  return { monoStart, monoEnd: end.monoMs, wallStart, wallEnd: end.wallMs, clock, maxErrMs, tz, day }
}

function momentTime({ monoMs, wallMs, clock, maxErrMs }: Moment, label: DayLabel | null): RecordTime {
  const { day, tz } = label ?? { day: null, tz: UTC }
  const at = { monoStart: monoMs, monoEnd: monoMs, wallStart: wallMs, wallEnd: wallMs }
  return { ...at, clock, maxErrMs, tz, day }
}

function endRow(register: Register, q: number): UsageRecord['registers'][number] {
  const { meter, subject, gen, end, custodian, workspace, billable } = register
  return { meter, subject, gen, end, custodian, workspace, billable, q: q | register.q }
}

/**
 * Organisations and registers in a fixed order, so that the same state gives the same bytes. What was not counted on a
 * link goes along with the first that is: a record more costs more than what it says.
 */
function* byOrganisation(
  moved: readonly Register[],
): Generator<{ org: OrgId; registers: Register[]; src: LinkSource | null }> {
  const groups = new Map<OrgId, Map<string, Register[]>>()
  for (const register of moved.toSorted((a, b) => a.id - b.id)) {
    let links = groups.get(register.org)
    if (links === undefined) groups.set(register.org, (links = new Map<string, Register[]>()))
    const link = register.src === null ? '' : JSON.stringify(register.src)
    links.set(link, [...(links.get(link) ?? []), register])
  }
  for (const [org, links] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const linkless = links.get('') ?? []
    const [first, ...others] = [...links].filter(([link]) => link !== '').map(([, registers]) => registers)
    for (const registers of [[...linkless, ...(first ?? [])], ...others]) {
      const src = registers.at(-1)?.src ?? null
      for (let start = 0; start < registers.length; start += REGISTERS_PER_RECORD_MAX) {
        yield { org, registers: registers.slice(start, start + REGISTERS_PER_RECORD_MAX), src }
      }
    }
  }
}
