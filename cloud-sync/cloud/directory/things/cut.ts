import { z } from 'zod'
import { GatewayId, Hash } from '../../../contract/index.ts'
import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { notFound } from '../errors.ts'
import { demandOperator } from '../kernel/authority.ts'
import { command, orgChain, type Writing } from '../kernel/write.ts'
import { workspaceArrives } from '../organisations/workspace-moves.ts'
import { restFrom } from './components.ts'
import { moveGuests } from './guests.ts'
import { acceptedTransfer, afterCut, type Held, heldOn, recordOwnership } from './ownership.ts'

const OfGateway = z.strictObject({ gateway: GatewayId })

/** The snapshot with the next epoch has been made for the gateway: from now on it may cut at any moment. */
export const settle = command({
  name: 'gateway.settle-transfer',
  input: OfGateway,
  chains: ({ gateway }, _actor, read) => chainsOf(read, gateway),
  async run(writing, { gateway }) {
    await demandOperator(writing)
    const transfer = (await acceptedTransfer(writing.read, gateway)) ?? notFound('transfer')
    await writing.put('gateway_transfer', { ...transfer, state: 'settling' })
    return { transfer: transfer.id }
  },
})

/**
 * The gateway has acknowledged the policy of the next epoch: this is the moment of the transfer. What was granted,
 * watched and kept of the old epoch ends; guests keep devices, grants and epochs. Repeated, it changes nothing.
 */
export const cut = command({
  name: 'gateway.cut',
  concernsAll: true,
  input: OfGateway.extend({
    ownerEpoch: z.int().min(2),
    /** SHA-256 of the gateway's signed acknowledgement. */
    acknowledged: Hash,
  }),
  chains: ({ gateway }, _actor, read) => chainsOf(read, gateway),
  async run(writing, { gateway: id, ownerEpoch, acknowledged }) {
    await demandOperator(writing)
    const transfer = await acceptedTransfer(writing.read, id)
    const held = await heldOn(writing.read, id)
    if (held === undefined) return notFound('gateway')
    if (transfer?.owner_epoch !== ownerEpoch) {
      // Said again, of an epoch that has begun.
      if (held.gateway.owner_epoch >= ownerEpoch) return { gateway: id, owner: held.gateway.org, cut: false }
      return notFound('transfer')
    }
    const done = afterCut(held, transfer)
    await writing.put('gateway', done.gateway)
    for (const device of done.devices) await writing.put('device', device)
    await endGrants(writing, held)
    await endWatching(writing, held)
    await moveGuests(writing, id, transfer.to_org)
    const { org: from, to_org: to } = transfer
    await recordOwnership(writing, { gateway: id, epoch: ownerEpoch, from, to, acknowledged })
    await writing.put('gateway_transfer', { ...transfer, state: 'done', settled_at: writing.at })
    if (transfer.workspace_transfer !== null) await workspaceArrives(writing, transfer.workspace_transfer)
    return { gateway: id, owner: to, cut: true }
  },
})

const pathsOf = ({ gateway, devices }: Held): string[] => [gateway.id, ...devices.map(({ path }) => path)]

/** Grants of an older epoch give nothing any more; they are ended so that lists say so too. */
async function endGrants(writing: Writing, held: Held): Promise<void> {
  const { org } = held.gateway
  const paths = new Set(pathsOf(held))
  const machines = ['gateway', 'device', 'sensor'] as const
  const grants = await writing.read.find('grant', { org, resource_kind: machines, state: ['live', 'legacy'] })
  for (const grant of grants) {
    const device = grant.resource.split('/').slice(0, 2).join('/')
    if (paths.has(device)) await writing.put('grant', { ...grant, state: 'revoked' })
  }
}

async function endWatching(writing: Writing, held: Held): Promise<void> {
  const { org } = held.gateway
  const paths = pathsOf(held)
  for (const rule of await writing.read.find('alert_rule', { org, resource: paths, state: 'active' }))
    await writing.put('alert_rule', { ...rule, state: 'deleted' })
  // What is still so is news to the new owner, and the old one hears no more of it.
  for (const open of await writing.working.find('alert_event', { resource: paths, state: 'open' }))
    await writing.working.put('alert_event', { ...open, state: 'over', over_at: writing.at })
  for (const path of paths) await restFrom(writing, org, path)
}

async function chainsOf(read: DirectoryReader, gateway: string): Promise<string[]> {
  const transfer: DirectoryRow<'gateway_transfer'> | undefined = await acceptedTransfer(read, gateway)
  return transfer === undefined ? [] : [orgChain(transfer.org), orgChain(transfer.to_org)]
}
