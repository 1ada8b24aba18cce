import type { Meter, OrgId, QuotaShare, WorkspaceId } from '../../cloud-sync/contract/index.ts'
import type { Register } from './register.ts'

/**
 * Where every register of a workspace stood when the month began: a month's use is what the meters went on since, so
 * there is no second count beside them.
 */
export interface MonthBegun {
  /** Calendar month of trusted time, UTC, `YYYY-MM`; null = trusted time was never known. */
  readonly month: string | null
  /** The same in the billing zone of each organisation that has, or had, one of its own. */
  readonly months: Readonly<Record<string, string>>
  /** Epoch of the usage stream in which `ends` were read. */
  readonly epoch: string
  /** By register id; one that is not here was born since, at 0. */
  readonly ends: ReadonlyMap<number, bigint>
}

/** Billing days of this moment, YYYY-MM-DD: of organisations with a zone of their own. */
export type DaysOf = ReadonlyMap<OrgId, string>

interface Standing {
  /** Of trusted time, YYYY-MM-DD, UTC; null = there is none now. */
  readonly day: string | null
  readonly days: DaysOf
  readonly epoch: string
  readonly registers: readonly Register[]
  /** The highest register id that was there when the epoch was the one before. */
  readonly newestId: number
}

const monthOf = (day: string): string => day.slice(0, 7)

/**
 * The same object as long as the months and the stream's epoch are the same. A month begins where the organisation's
 * billing day says so, as on its bills. Months never go back: a clock that was set back does not give a limit twice.
 * While time is not trusted the month that was goes on.
 */
export function monthAt(begun: MonthBegun, standing: Standing): MonthBegun {
  return withMonths(withEpoch(begun, standing), standing)
}

/** A month has begun that is not noted yet. */
export const isMonthDue = (begun: MonthBegun, at: Pick<Standing, 'day' | 'days'>): boolean =>
  withMonths(begun, { ...at, registers: [] }) !== begun

function withEpoch(begun: MonthBegun, { epoch, registers, newestId }: Standing): MonthBegun {
  if (epoch === begun.epoch) return begun
  // Successors begin at what was not confirmed yet; it is counted in the registers that they follow.
  const born = endsOf(registers.filter(({ id }) => id > newestId))
  return { ...begun, epoch, ends: new Map([...begun.ends, ...born]) }
}

function withMonths(
  begun: MonthBegun,
  { day, days, registers }: Pick<Standing, 'day' | 'days' | 'registers'>,
): MonthBegun {
  if (day === null) return begun
  const month = later(begun.month, monthOf(day))
  const months: Record<string, string> = {}
  const turned = new Set<string>()
  for (const org of new Set<string>([...days.keys(), ...Object.keys(begun.months)])) {
    const before = begun.months[org] ?? begun.month
    const now = later(before, monthOf(days.get(org as OrgId) ?? day))
    months[org] = now
    // The first trusted time names the month of all that was counted before it.
    if (before !== null && now > before) turned.add(org)
  }
  const isSame = Object.entries(months).every(([org, one]) => begun.months[org] === one)
  if (month === begun.month && isSame) return begun
  const hasTurned = ({ org }: Register): boolean =>
    months[org] === undefined ? begun.month !== null && month > begun.month : turned.has(org)
  return { ...begun, month, months, ends: new Map([...begun.ends, ...endsOf(registers.filter(hasTurned))]) }
}

const later = (before: string | null, now: string): string => (before !== null && before > now ? before : now)

const endsOf = (registers: readonly Register[]): Map<number, bigint> =>
  new Map(registers.flatMap(({ id, workspace, end }) => (workspace === null ? [] : [[id, end]])))

const key = (workspace: WorkspaceId, meter: Meter): string => `${workspace} ${meter}`

/** What workspaces used of the limited meters since the month began; only what somebody is billed for. */
export class WorkspaceUse {
  readonly #used = new Map<string, bigint>()

  constructor(
    registers: readonly Register[],
    { ends }: Pick<MonthBegun, 'ends'>,
    shares: readonly QuotaShare[],
  ) {
    for (const { workspace, meter } of shares) this.#used.set(key(workspace, meter), 0n)
    for (const { id, meter, workspace, billable, end } of registers) {
      if (workspace === null || !billable) continue
      const used = this.#used.get(key(workspace, meter))
      if (used !== undefined) this.#used.set(key(workspace, meter), used + end - (ends.get(id) ?? 0n))
    }
  }

  of({ workspace, meter }: QuotaShare): bigint {
    return this.#used.get(key(workspace, meter)) ?? 0n
  }

  /** Workspaces that are at one of their limits or over it. */
  over(shares: readonly QuotaShare[]): Set<WorkspaceId> {
    const over = shares.filter((share) => this.of(share) >= BigInt(share.limit))
    return new Set(over.map(({ workspace }) => workspace))
  }
}
