import { comparePolicyOrder, type GatewayId, type Hash, type PolicyOrder } from '../contract/index.ts'
import { acceptedTransfer, type OrgDirectory } from './directory/index.ts'
import type { Log } from './log.ts'
import type { Policies } from './policies/index.ts'
import type { DirectoryStore } from './storage/index.ts'

/** A gateway says which policy is in force there. */
interface Applied {
  readonly gateway: GatewayId
  readonly order: PolicyOrder
  /** SHA-256 of the signed message. */
  readonly acknowledged: Hash
}

/** Completes the transfer of a gateway that has acknowledged the policy of its next epoch. Never rejects. */
export function createCuts({
  directory,
  store,
  policies,
  log,
}: {
  directory: OrgDirectory
  store: DirectoryStore
  policies: Policies
  log: Log
}): (applied: Applied) => Promise<void> {
  return async ({ gateway, order, acknowledged }) => {
    try {
      const transfer = await acceptedTransfer(store.read, gateway)
      const policy = policies.policyOf(gateway)
      if (transfer === undefined || policy?.owner.ownerEpoch !== transfer.owner_epoch) return
      if (comparePolicyOrder(order, policy) < 0) return
      const ownerEpoch = transfer.owner_epoch
      // The same key for the same cut: said twice, it is done once.
      const call = { actor: { kind: 'operator', name: 'cloud' }, key: `cut-${transfer.id}` } as const
      const outcome = await directory.write.transfers.cut(call, { gateway, ownerEpoch, acknowledged })
      if (outcome.ok) log.info({ gateway, ownerEpoch }, 'a gateway has changed hands')
      else log.error({ gateway, code: outcome.code }, 'a transfer cannot be completed')
    } catch (error) {
      log.error({ err: error, gateway }, 'a transfer waits: the gateway will say again what it has applied')
    }
  }
}
