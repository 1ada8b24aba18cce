import { gatewayShares } from '../billing/index.ts'

/** A gateway that serves a workspace. */
export interface ShareOf {
  readonly gateway: string
  /** What it used of the meter this month, as far as it has reported. */
  readonly used: bigint
  /** Its present share; null = it has none yet. */
  readonly share: bigint | null
}

/** From this part of its share on, percent, a gateway may get more of what others do not use. */
const HOT_PERCENT = 80n
/** Not for less than this part of the limit, percent: a policy is not sent again for a trifle. */
const WORTH_PERCENT = 5n

/**
 * Divides a workspace's limit among its gateways by what each used, as long as none of them can ask; the shares sum to
 * the limit. Undefined where the present shares may stay: gateways and limit are the same, and none is short of what
 * others have left. So a month sends a handful of policies, however many records come.
 */
export function newShares(limit: bigint, gateways: readonly ShareOf[]): Map<string, bigint> | undefined {
  if (gateways.length === 0) return undefined
  const shares = divided(limit, gateways)
  const given = gateways.reduce((sum, { share }) => sum + (share ?? 0n), 0n)
  if (given !== limit || gateways.some(({ share }) => share === null)) return shares
  const gains = gateways.some(({ gateway, used, share }) => {
    const present = share ?? 0n
    const isHot = used * 100n >= present * HOT_PERCENT
    const gain = (shares.get(gateway) ?? 0n) - present
    return isHot && gain > 0n && gain * 100n >= limit * WORTH_PERCENT
  })
  return gains ? shares : undefined
}

function divided(limit: bigint, gateways: readonly ShareOf[]): Map<string, bigint> {
  const total = gateways.reduce((sum, { used }) => sum + used, 0n)
  const weighed = gateways.map(({ gateway, used }) => ({ gateway, weight: used }))
  // Nobody has anything left: every share is at or below what its gateway used.
  if (total >= limit) return gatewayShares(limit, weighed)
  // What is left goes where it was used so far, with something for those that were silent.
  const least = total / BigInt(4 * gateways.length) + 1n
  const rest = gatewayShares(
    limit - total,
    weighed.map(({ gateway, weight }) => ({ gateway, weight: weight + least })),
  )
  return new Map(gateways.map(({ gateway, used }) => [gateway, used + (rest.get(gateway) ?? 0n)]))
}
