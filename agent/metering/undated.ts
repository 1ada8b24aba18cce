import {
  billingDay,
  type DayLabel,
  type DayShare,
  type Epoch,
  type Meter,
  type OrgId,
  type RecordTime,
  shareOf,
  type Subject,
} from '../../cloud-sync/contract/index.ts'
import type { Zones } from './interval.ts'
import type { Moved } from './days.ts'
import type { Owner, ReadSpan } from './register.ts'

/** How far to look for the end of a day at once, ms: no day is shorter. */
const HOP_MS = 3 * 3_600_000
/** Days that one record is divided among at most; an interval is never as long. */
const PIECES_MAX = 400

/** A record of the time before the gateway knew the time, until it is given its day. Kept as JSON. */
export interface Undated {
  readonly seq: number
  /** Null = the stream's present epoch. */
  readonly epoch: Epoch | null
  readonly org: OrgId
  readonly bootId: string
  readonly time: RecordTime
  /** What each of its registers moved by, decimal, in the record's order. */
  readonly moved: readonly (readonly [Meter, string])[]
  /** The sensors that were read meanwhile. */
  readonly read: readonly ReadSensor[]
}

interface ReadSensor {
  readonly subject: Subject
  readonly owner: Owner
  readonly billable: boolean
  /** When, by the record's monotonic clock; null or absent where nobody noted it: any time. */
  readonly readAt?: readonly ReadSpan[] | null
}

/** What is known of the time at last. */
export interface Known {
  readonly bootId: string
  readonly monoMs: number
  readonly trustedMs: number
  /** Latest trusted time before the undated records; null on a new gateway. */
  readonly lastKnownMs: number | null
  readonly zones: Zones
  /** The latest day that was stamped for an organisation; the undated past came after it. */
  readonly floorOf: (org: OrgId) => string | null
}

/** The stretch of an undated record that lies in one day. */
export interface Piece {
  readonly label: DayLabel
  /** Null = the whole record. */
  readonly share: DayShare | null
}

export interface Placed {
  readonly undated: Undated
  readonly pieces: readonly Piece[]
  /** Nobody knows when exactly: its boot never had trusted time. */
  readonly isEstimated: boolean
}

/**
 * Finds the days of undated records (metering.md 4.5). In the boot that knows the time now, monotonic time tells when
 * each was. Earlier boots lie somewhere between the last time that was known and the beginning of this one: they are put
 * one after the other right behind the former, which touches no more days than the running time can have touched. Pure.
 */
export function place(undated: readonly Undated[], known: Known): Placed[] {
  const offsetMs = known.trustedMs - known.monoMs
  const earlier = undated.filter(({ bootId }) => bootId !== known.bootId)
  const runningMs = earlier.reduce((sum, one) => sum + lengthOf(one), 0)
  const latestStart = offsetMs - runningMs
  let at = Math.min(known.lastKnownMs ?? latestStart, latestStart)
  return undated.map((one) => {
    const isEstimated = one.bootId !== known.bootId
    const startMs = isEstimated ? at : offsetMs + one.time.monoStart
    if (isEstimated) at += lengthOf(one)
    return { undated: one, pieces: piecesOf(one, startMs, known), isEstimated }
  })
}

/** What a piece is of each register of its record. */
export const movedIn = ({ undated, piece }: { undated: Undated; piece: Piece }): Moved[] =>
  undated.moved.flatMap(([meter, text]) => {
    const by = piece.share === null ? BigInt(text) : shareOf(BigInt(text), piece.share)
    return by === 0n ? [] : [{ meter, by }]
  })

/** The sensors that were read in a piece of a record: a day is a sensor's only by a reading of its own. */
export function readIn({ read, time }: Undated, { share }: Piece): readonly ReadSensor[] {
  if (share === null) return read
  // What was counted as the record ended is its last piece's, what began with it its first one's.
  const from = share.from === 0 ? -Infinity : time.monoStart + share.from
  const before = share.to >= share.of ? Infinity : time.monoStart + share.to
  return read.filter(
    ({ readAt }) => readAt == null || readAt.some(([first, last]) => first < before && last >= from),
  )
}

const lengthOf = ({ time }: Undated): number => Math.max(0, time.monoEnd - time.monoStart)

function piecesOf(undated: Undated, startMs: number, known: Known): Piece[] {
  const { org, epoch } = undated
  const of = lengthOf(undated)
  const zones = known.zones.get(org) ?? []
  let floor = known.floorOf(org)
  const labelAt = (ms: number): DayLabel => {
    const { day, tz } = billingDay(zones, startMs + ms)
    return { day: floor !== null && day < floor ? floor : day, tz }
  }
  const pieces: Piece[] = []
  for (let from = 0; pieces.length < PIECES_MAX; ) {
    const label = labelAt(from)
    floor = label.day
    const isLast = pieces.length === PIECES_MAX - 1
    const to = isLast ? of : endOfDay(from, of, (ms) => labelAt(ms).day > label.day)
    const isWhole = from === 0 && to >= of && epoch === null
    pieces.push({ label, share: isWhole ? null : { epoch, from, to: Math.max(1, to), of: Math.max(1, of) } })
    if (to >= of) break
    from = to
  }
  return pieces
}

/** The first ms from here on that is of a later day, `of` where none is. */
function endOfDay(from: number, of: number, isLater: (ms: number) => boolean): number {
  let before = from
  let after = Math.min(of, from + HOP_MS)
  while (after < of && !isLater(after)) {
    before = after
    after = Math.min(of, after + HOP_MS)
  }
  if (!isLater(after)) return of
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2)
    if (isLater(middle)) after = middle
    else before = middle
  }
  return after
}
