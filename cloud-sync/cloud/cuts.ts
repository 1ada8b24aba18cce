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

const KEY_DIGITS = 32

/** Follows a transfer from its acceptance to the gateway's word. Nothing here ever rejects: what fails is done at the next word. */
export interface Cuts {
  /** The policy of the next epoch has been made: the gateway may cut at any moment, the transfer is being settled. */
  sealed(gateway: GatewayId): Promise<void>
  /** Completes the transfer of a gateway that has acknowledged the policy of its next epoch. */
  applied(applied: Applied): Promise<void>
}

export function createCuts({
  directory,
  store,
  log,
}: {
  directory: OrgDirectory
  store: DirectoryStore
  log: Log
}): Cuts {
  const actor = { kind: 'operator', name: 'cloud' } as const
  const epochIn = async (where: { gateway: string; generation?: number; version?: number }) => {
    const newest = { orderBy: ['version'], descending: true, limit: 1 } as const
    const [policy] = await store.read.find('gateway_policy', where, newest)
    return policy && Told.parse(JSON.parse(policy.content)).owner.ownerEpoch
  }
  const settle = async (gateway: GatewayId): Promise<void> => {
    const transfer = await acceptedTransfer(store.read, gateway)
    if (transfer?.state !== 'accepted' || (await epochIn({ gateway })) !== transfer.owner_epoch) return
    const outcome = await directory.write.transfers.settle(
      { actor, key: `settle-${transfer.id}` },
      { gateway },
    )
    if (!outcome.ok) log.error({ gateway, code: outcome.code }, 'a transfer cannot be settled')
  }
  const cut = async ({ gateway, order, acknowledged }: Applied): Promise<void> => {
    const transfer = await acceptedTransfer(store.read, gateway)
    if (transfer === undefined) return
    const ownerEpoch = await epochIn({ gateway, ...order })
    if (ownerEpoch !== transfer.owner_epoch) return settle(gateway)
    // Said twice, in two messages at once, it is done once: the second finds it done.
    const key = `cut-${transfer.id}-${acknowledged.slice(0, KEY_DIGITS)}`
    const call = { actor, key } as const
    const outcome = await directory.write.transfers.cut(call, { gateway, ownerEpoch, acknowledged })
    if (outcome.ok && outcome.value.cut) log.info({ gateway, ownerEpoch }, 'a gateway has changed hands')
    if (!outcome.ok) log.error({ gateway, code: outcome.code }, 'a transfer cannot be completed')
  }
  const waits = (gateway: GatewayId) => (error: unknown) => {
    log.error({ err: error, gateway }, 'a transfer waits: the gateway will say again what it has applied')
  }
  return {
    sealed: (gateway) => settle(gateway).catch(waits(gateway)),
    applied: (applied) => cut(applied).catch(waits(applied.gateway)),
  }
}
