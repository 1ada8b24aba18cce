import { z } from 'zod'
import type { GatewayId, Hash, PolicyOrder } from '../contract/index.ts'
import { acceptedTransfer, type OrgDirectory } from './directory/index.ts'
import type { Log } from './log.ts'
import type { DirectoryStore } from './storage/index.ts'

/** A gateway says which policy is in force there. */
interface Applied {
  readonly gateway: GatewayId
  readonly order: PolicyOrder
  /** SHA-256 of the signed message. */
  readonly acknowledged: Hash
}

const Told = z.object({ owner: z.object({ ownerEpoch: z.int() }) })

/** Completes the transfer of a gateway that has acknowledged the policy of its next epoch. Never rejects. */
export function createCuts({
  directory,
  store,
  log,
}: {
  directory: OrgDirectory
  store: DirectoryStore
  log: Log
}): (applied: Applied) => Promise<void> {
  return async ({ gateway, order, acknowledged }) => {
    try {
      const transfer = await acceptedTransfer(store.read, gateway)
      if (transfer === undefined) return
      const inForce = await store.read.get('gateway_policy', { gateway, ...order })
      if (inForce === undefined) return
      const { ownerEpoch } = Told.parse(JSON.parse(inForce.content)).owner
      if (ownerEpoch !== transfer.owner_epoch) return
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
