import type { OrgId, WorkspaceId } from '../../contract/index.ts'
import { largestRemainder } from './allocate.ts'
import type { Period } from './calendar.ts'

/** Percent of a limit at which its workspace is warned. */
export const QUOTA_STEPS = [80, 90, 100] as const
export type QuotaStep = (typeof QUOTA_STEPS)[number]

/** What a workspace may use of one meter in a month, and what it has used. */
export interface Quota {
  readonly org: OrgId
  readonly workspace: WorkspaceId
  readonly period: Period
  readonly limit: bigint
  readonly used: bigint
  /** Steps that were warned of in this month; each once, even if the limit is raised past it and reached again. */
  readonly warned: readonly QuotaStep[]
}

export type QuotaEvent =
  /** All that the workspace used in that month so far; totals may come late, twice and out of order. */
  | { readonly event: 'used'; readonly period: Period; readonly total: bigint }
  | { readonly event: 'limit'; readonly limit: bigint }
  | { readonly event: 'period'; readonly period: Period }

/** What follows from an event, for this workspace alone. */
export interface QuotaChange {
  readonly quota: Quota
  readonly warnings: readonly QuotaStep[]
  /** `blocked`: from now on its uploads wait; `released`: what waited goes on; null: nothing changed. */
  readonly turned: 'blocked' | 'released' | null
}

/** At its limit a workspace is blocked; a limit of nothing blocks from the start. */
export const isOver = ({ used, limit }: Quota): boolean => used >= limit

export function nextQuota(quota: Quota, input: QuotaEvent): QuotaChange {
  const moved = move(quota, input)
  const reached = QUOTA_STEPS.filter((step) => moved.used * 100n >= moved.limit * BigInt(step))
  // A limit of nothing is a block that somebody chose; there is nothing to warn of before it.
  const warnings = moved.limit === 0n ? [] : reached.filter((step) => !moved.warned.includes(step))
  const next = { ...moved, warned: [...moved.warned, ...warnings] }
  const [before, after] = [isOver(quota), isOver(next)]
  return { quota: next, warnings, turned: before === after ? null : after ? 'blocked' : 'released' }
}

function move(quota: Quota, input: QuotaEvent): Quota {
  switch (input.event) {
    case 'used': {
      if (input.period < quota.period) return quota
      const current = begin(quota, input.period)
      return input.total > current.used ? { ...current, used: input.total } : current
    }
    case 'limit':
      return { ...quota, limit: input.limit }
    case 'period':
      return begin(quota, input.period)
  }
}

const begin = (quota: Quota, period: Period): Quota =>
  period > quota.period ? { ...quota, period, used: 0n, warned: [] } : quota

/** What an account gives to a workspace: what every one has from the start, what is allocated to it, its add-ons. */
export interface Allocation {
  readonly included: bigint
  readonly allocated: bigint
  readonly addOns: readonly bigint[]
}

/** S3.9, S3.16: the limit of a workspace. */
export const limitOf = ({ included, allocated, addOns }: Allocation): bigint =>
  addOns.reduce((sum, more) => sum + more, included + allocated)

/** S3.15: whether an account's limit is enough for what is allocated; else raise it, or lower another workspace's. */
export function allocatable(
  accountLimit: bigint,
  allocations: readonly Allocation[],
): { readonly enough: true; readonly left: bigint } | { readonly enough: false; readonly missing: bigint } {
  const given = allocations.reduce((sum, { allocated }) => sum + allocated, 0n)
  return given <= accountLimit
    ? { enough: true, left: accountLimit - given }
    : { enough: false, missing: given - accountLimit }
}

/**
 * Splits what a workspace may still use over the gateways that serve it, so that no gateway needs to ask: the shares
 * sum to the limit, by weight (what each used before, say). Where none has a weight, all have the same.
 */
export function gatewayShares(
  limit: bigint,
  gateways: readonly { readonly gateway: string; readonly weight: bigint }[],
): Map<string, bigint> {
  const shares = largestRemainder(
    limit,
    gateways.map(({ weight }) => weight),
  )
  return new Map(gateways.map(({ gateway }, index) => [gateway, shares[index] ?? 0n]))
}
