import type { Meter, QuotaShare, WorkspaceId } from '../../cloud-sync/contract/index.ts'
import type { Register } from './register.ts'

/**
 * Where every register of a workspace stood when the month began: a month's use is what the meters went on since, so
 * there is no second count beside them.
 */
export interface MonthBegun {
  /** Calendar month of trusted time, UTC, `YYYY-MM`; null = trusted time was never known. */
  readonly month: string | null
  /** Epoch of the usage stream in which `ends` were read. */
  readonly epoch: string
  /** By register id; one that is not here was born since, at 0. */
  readonly ends: ReadonlyMap<number, bigint>
}

interface Standing {
  /** Of trusted time, YYYY-MM-DD; null = there is none now. */
  readonly day: string | null
  readonly epoch: string
  readonly registers: readonly Register[]
  /** The highest register id that was there when the epoch was the one before. */
  readonly newestId: number
}

const monthOf = (day: string): string => day.slice(0, 7)

/**
 * The same object as long as the month and the stream's epoch are the same. Months never go back: a clock that was set
 * back does not give a limit twice. While time is not trusted the month that was goes on.
 */
export function monthAt(begun: MonthBegun, { day, epoch, registers, newestId }: Standing): MonthBegun {
  const month = day === null ? begun.month : monthOf(day)
  if (month !== null && begun.month !== null && month > begun.month)
    return { month, epoch, ends: endsOf(registers) }
  if (epoch !== begun.epoch) {
    // Successors begin at what was not confirmed yet; it is counted in the registers that they follow.
    const born = endsOf(registers.filter(({ id }) => id > newestId))
    return { month: begun.month ?? month, epoch, ends: new Map([...begun.ends, ...born]) }
  }
  // The first trusted time names the month of all that was counted before it.
  return begun.month === null && month !== null ? { ...begun, month } : begun
}

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
