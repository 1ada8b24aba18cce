import { comparePolicyOrder, type PolicyOrder } from '../../contract/index.ts'
import type { PolicyRow } from './sealing.ts'

/** How far a gateway is behind. Times are epoch ms of the cloud's clock. */
export interface PendingPolicy {
  /** When the first version was made that the gateway does not have in force; null = it has the newest. */
  readonly pendingSince: number | null
  /**
   * When what is shared across organisations ends there for want of news, in the gateway's policy time: what was taken
   * back meanwhile may be seen until then. Null = nothing is pending, or what it has is not known any more.
   */
  readonly worstCaseUntil: number | null
  /** The gateway is ahead: this cloud came back from a backup and needs a new generation. */
  readonly ahead: boolean
}

/** `rows`: the versions that are kept, oldest first. */
export function pendingAmong(rows: readonly PolicyRow[], applied: PolicyOrder): PendingPolicy {
  const newest = rows.at(-1)
  const missing = rows.find((row) => comparePolicyOrder(row, applied) > 0)
  const inForce = rows.find((row) => comparePolicyOrder(row, applied) === 0)
  return {
    pendingSince: missing?.issued_at ?? null,
    worstCaseUntil: missing === undefined ? null : (inForce?.hard_until ?? null),
    ahead: newest !== undefined && comparePolicyOrder(newest, applied) < 0,
  }
}
