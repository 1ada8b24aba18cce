import {
  billingDay,
  type ClockState,
  type DayLabel,
  type OrgId,
  UTC,
  type ZoneFrom,
} from '../../cloud-sync/contract/index.ts'

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
  /** Trusted time, epoch ms; null where there is none. */
  readonly trustedMs: number | null
}

/** What organisations count their days in; none for an organisation = UTC. */
export type Zones = ReadonlyMap<OrgId, readonly ZoneFrom[]>

/** The interval that is being counted; kept in the database, so that a start after a power cut can close it. */
export interface Interval {
  readonly monoStart: number
  readonly wallStart: number
  readonly clock: ClockState
  readonly maxErrMs: number
  /** UTC day. */
  readonly day: string | null
  /** Latest UTC day any interval had; a later one is never labelled with an earlier day. */
  readonly dayFloor: string | null
  readonly bootId: string
  /** Days of organisations with a zone of their own, now or before; none while time is not trusted. */
  readonly labels?: Readonly<Record<string, DayLabel>>
  /** The latest day that each of them ever had. */
  readonly floors?: Readonly<Record<string, string>>
  /** The wall clock stepped meanwhile. */
  readonly isStepped?: boolean
}

const NO_ZONES: Zones = new Map()

/** Begins an interval. Days never go back, so a clock set back keeps the day it was (I11). */
export function openInterval(
  now: Moment,
  bootId: string,
  { before, zones = NO_ZONES }: { readonly before: Interval | null; readonly zones?: Zones },
): Interval {
  const { monoMs: monoStart, wallMs: wallStart, clock, maxErrMs } = now
  const floor = before?.dayFloor ?? null
  const day = now.day === null ? null : latest(now.day, floor)
  const base = { monoStart, wallStart, clock, maxErrMs, day, dayFloor: day ?? floor, bootId }
  return { ...base, ...labelsAt(now.trustedMs, { floors: before?.floors ?? {}, floor, zones }) }
}

/** Days of the organisations that have, or had, a zone of their own. */
function labelsAt(
  trustedMs: number | null,
  known: {
    readonly floors: Readonly<Record<string, string>>
    readonly floor: string | null
    readonly zones: Zones
  },
): Pick<Interval, 'labels' | 'floors'> {
  const { floors, floor, zones } = known
  const orgs = new Set([...zones.keys(), ...(Object.keys(floors) as OrgId[])])
  if (orgs.size === 0) return {}
  if (trustedMs === null) return { floors }
  const labels: Record<string, DayLabel> = {}
  for (const org of orgs) {
    const label = billingDay(zones.get(org) ?? [], trustedMs)
    labels[org] = { day: latest(label.day, floors[org] ?? floor), tz: label.tz }
  }
  const reached = Object.fromEntries(Object.entries(labels).map(([org, label]) => [org, label.day]))
  return { labels, floors: { ...floors, ...reached } }
}

/** An organisation's day in an interval; null while time is not trusted. */
export function labelOf(interval: Interval, org: OrgId): DayLabel | null {
  if (interval.day === null) return null
  return interval.labels?.[org] ?? { day: interval.day, tz: UTC }
}

/** The latest day that was ever stamped for an organisation. */
export const floorOf = (interval: Interval | null, org: OrgId): string | null =>
  interval?.floors?.[org] ?? interval?.dayFloor ?? null

/**
 * Why this interval ends now, or null. `day` comes before what was just counted (it belongs to the new day of some
 * organisation), `due` after it. Durations are monotonic only.
 */
export function endOf(
  interval: Interval,
  now: Moment,
  { lengthMs, zones = NO_ZONES }: { readonly lengthMs: number; readonly zones?: Zones },
): 'day' | 'due' | null {
  const next = openInterval(now, interval.bootId, { before: interval, zones })
  if (next.day !== interval.day || !sameLabels(interval.labels ?? {}, next.labels ?? {})) return 'day'
  return now.monoMs - interval.monoStart >= lengthMs ? 'due' : null
}

function sameLabels(a: Readonly<Record<string, DayLabel>>, b: Readonly<Record<string, DayLabel>>): boolean {
  const orgs = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...orgs].every((org) => a[org]?.day === b[org]?.day && a[org]?.tz === b[org]?.tz)
}

const latest = (day: string, floor: string | null): string => (floor !== null && day < floor ? floor : day)
