import type { GatewayId } from '../contract/index.ts'
import { shardOf } from '../codec/index.ts'

/** Whether this process hears a gateway: several clouds may divide the shards of a broker among them. */
export function gatewaysHeard({
  shards,
}: {
  readonly shards?: readonly string[] | undefined
}): (gateway: GatewayId) => boolean {
  if (shards === undefined) return () => true
  const own = new Set(shards)
  return (gateway) => own.has(shardOf(gateway))
}
