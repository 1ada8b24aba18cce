import { z } from 'zod'
import { GatewayId } from '../../../contract/index.ts'
import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { notFound, refuse } from '../errors.ts'
import { demand } from '../kernel/authority.ts'
import { Id, OrgId } from '../kernel/words.ts'
import { type Asking, command, orgChain, query, type Writing } from '../kernel/write.ts'
import { workspaceOf } from '../organisations/workspaces.ts'
import { workspaceArrives } from '../organisations/workspace-moves.ts'
import { acceptedTransfer, isGone, openTransferOf } from './ownership.ts'

export const OFFER_MS = 14 * 24 * 3_600_000
const OPEN = ['offered', 'accepted', 'settling'] as const
const OfTransfer = z.strictObject({ org: OrgId, transfer: Id })
const SHOWN_MAX = 200

/**
 * Offers a gateway, with all of the own devices on it, to another organisation for fourteen days. The answer does not
 * tell whether there is such an organisation.
 */
export const offer = command({
  name: 'gateway.offer-transfer',
  input: z.strictObject({ org: OrgId, gateway: GatewayId, to: OrgId }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, gateway: id, to }) {
    const own = await demand(writing, 'gw.transfer', { org, thing: { kind: 'gateway', resource: id } })
    if (to === org) refuse('DIRECTORY_INPUT_INVALID', 'it is yours already')
    const gateway = await transferable(writing, id)
    const transfer = await addTransfer(writing, {
      gateway,
      to,
      state: 'offered',
      offeredBy: own.user,
      acceptedBy: null,
      workspaceTransfer: null,
    })
    return { transfer, expiresAt: writing.at + OFFER_MS }
  },
})

/** Taken over by an owner or administrator of the other organisation. The old owner's policy rules until the cut. */
export const accept = command({
  name: 'gateway.accept-transfer',
  concernsAll: true,
  input: OfTransfer.extend({
    /** Where it lands. */
    workspace: Id.optional(),
  }),
  chains: ({ transfer }, _actor, read) => chainsOfTransfer(read, transfer),
  async run(writing, { org, transfer: id, workspace }) {
    const own = await demand(writing, 'gw.transfer', { org })
    const transfer = await offeredTo(writing, org, id)
    if (workspace !== undefined) await workspaceOf(writing, org, workspace)
    await writing.put('gateway_transfer', {
      ...transfer,
      state: 'accepted',
      accepted_by: own.user,
      to_workspace: workspace ?? null,
    })
    return { transfer: id, gateway: transfer.gateway }
  },
})

/**
 * Takes the offer back: only before it is accepted, afterwards the gateway may have cut already; or where who accepted it
 * is no more and no gateway was told.
 */
export const cancel = command({
  name: 'gateway.cancel-transfer',
  concernsAll: true,
  input: OfTransfer,
  chains: ({ transfer }, _actor, read) => chainsOfTransfer(read, transfer),
  async run(writing, { org, transfer: id }) {
    await demand(writing, 'org.read', { org })
    const transfer = (await writing.read.get('gateway_transfer', { id, org })) ?? notFound('transfer')
    const { gateway } = transfer
    await demand(writing, 'gw.transfer', { org, thing: { kind: 'gateway', resource: gateway } })
    const isLost = transfer.state === 'accepted' && (await isGone(writing.read, transfer.to_org))
    if ((transfer.state !== 'offered' && !isLost) || transfer.workspace_transfer !== null) return closed()
    await writing.put('gateway_transfer', { ...transfer, state: 'cancelled' })
    return { transfer: id }
  },
})

/** The other organisation does not want it. */
export const decline = command({
  name: 'gateway.decline-transfer',
  concernsAll: true,
  input: OfTransfer,
  chains: ({ transfer }, _actor, read) => chainsOfTransfer(read, transfer),
  async run(writing, { org, transfer: id }) {
    await demand(writing, 'gw.transfer', { org })
    const transfer = await offeredTo(writing, org, id)
    await writing.put('gateway_transfer', { ...transfer, state: 'cancelled' })
    return { transfer: id }
  },
})

/** What the organisation gives away and what it is offered, newest first. */
export const list = query({
  input: z.strictObject({ org: OrgId }),
  async run(asking, { org }) {
    await demand(asking, 'gw.transfer', { org })
    const { read, at } = asking
    const newest = { orderBy: ['created_at', 'id'], descending: true, limit: SHOWN_MAX } as const
    const given = await read.find('gateway_transfer', { org }, newest)
    const taken = await read.find('gateway_transfer', { to_org: org }, newest)
    return { given: given.map((row) => shown(row, at)), taken: taken.map((row) => shown(row, at)) }
  },
})

/** Every owner that a gateway has had, oldest first, for the one it has now. */
export const history = query({
  input: z.strictObject({ org: OrgId, gateway: GatewayId }),
  async run(asking, { org, gateway }) {
    await demand(asking, 'gw.transfer', { org, thing: { kind: 'gateway', resource: gateway } })
    const entries = await asking.read.find('ownership_entry', { gateway }, { orderBy: ['epoch'] })
    return entries.map(({ epoch, org: owner, prev, hash, entry }) => ({ epoch, owner, prev, hash, entry }))
  },
})

const shown = (row: DirectoryRow<'gateway_transfer'>, at: number) => ({
  transfer: row.id,
  gateway: row.gateway,
  from: row.org,
  to: row.to_org,
  ownerEpoch: row.owner_epoch,
  state: row.state === 'offered' && row.expires_at <= at ? ('expired' as const) : row.state,
  expiresAt: row.expires_at,
  settledAt: row.settled_at,
})

/** A claimed gateway that is not on its way to somebody; an offer that has expired is closed on the way. */
export async function transferable(writing: Writing, id: string): Promise<DirectoryRow<'gateway'>> {
  const gateway = await writing.read.get('gateway', { id, state: 'claimed' })
  if (gateway === undefined) return notFound('gateway')
  const open = await openTransferOf(writing.read, gateway, OPEN)
  if (open === undefined) return gateway
  if (open.state !== 'offered' || open.expires_at > writing.at)
    refuse('DIRECTORY_EXISTS', `${id} is being transferred already`)
  await writing.put('gateway_transfer', { ...open, state: 'expired' })
  return gateway
}

const openTransfersOf = (
  read: DirectoryReader,
  gateway: string,
): Promise<DirectoryRow<'gateway_transfer'>[]> =>
  read.find('gateway_transfer', { gateway, state: OPEN }, { orderBy: ['id'] })

/** Chains that `cancelTransfers` writes. */
export async function chainsOfOpenTransfers(read: DirectoryReader, gateway: string): Promise<string[]> {
  return (await openTransfersOf(read, gateway)).flatMap(({ org, to_org }) => [
    orgChain(org),
    orgChain(to_org),
  ])
}

/**
 * The gateway goes another way than it was offered or given. Says the last epoch that it may have been told of by then: the
 * next one is another. The caller holds `chainsOfOpenTransfers`.
 */
export async function cancelTransfers(writing: Writing, gateway: string): Promise<number> {
  const open = await openTransfersOf(writing.read, gateway)
  for (const transfer of open) {
    await writing.put('gateway_transfer', { ...transfer, state: 'cancelled' })
    if (transfer.workspace_transfer !== null) await workspaceArrives(writing, transfer.workspace_transfer)
  }
  return Math.max(0, ...open.flatMap(({ state, owner_epoch }) => (state === 'offered' ? [] : [owner_epoch])))
}

/** What is let go is offered to nobody. Throws DIRECTORY_EXISTS where it is on its way to who has accepted it. */
export async function endOffers(writing: Writing, gateway: string): Promise<void> {
  if ((await acceptedTransfer(writing.read, gateway)) !== undefined)
    refuse('DIRECTORY_EXISTS', `${gateway} is being transferred to who has accepted it`)
  await cancelTransfers(writing, gateway)
}

export async function addTransfer(
  writing: Writing,
  asked: {
    gateway: DirectoryRow<'gateway'>
    to: string
    state: 'offered' | 'accepted'
    offeredBy: string
    acceptedBy: string | null
    workspaceTransfer: string | null
  },
): Promise<string> {
  const { world, at } = writing
  const { gateway, to, state, offeredBy, acceptedBy, workspaceTransfer } = asked
  const id = world.newId()
  await writing.put('gateway_transfer', {
    id,
    org: gateway.org,
    gateway: gateway.id,
    to_org: to,
    to_workspace: null,
    owner_epoch: gateway.owner_epoch + 1,
    state,
    offered_by: offeredBy,
    accepted_by: acceptedBy,
    workspace_transfer: workspaceTransfer,
    created_at: at,
    expires_at: at + OFFER_MS,
    settled_at: null,
  })
  return id
}

async function offeredTo(
  { read, at }: Asking,
  to_org: string,
  id: string,
): Promise<DirectoryRow<'gateway_transfer'>> {
  const transfer = await read.get('gateway_transfer', { id, to_org })
  if (transfer === undefined || transfer.workspace_transfer !== null) return notFound('transfer')
  if (transfer.state !== 'offered' || transfer.expires_at <= at) return closed()
  const gateway = await read.get('gateway', { id: transfer.gateway, org: transfer.org, state: 'claimed' })
  return gateway?.owner_epoch === transfer.owner_epoch - 1 ? transfer : closed()
}

export const closed = (): never => refuse('DIRECTORY_TRANSFER_CLOSED', 'the offer is not open any more')

/** Both sides: the row is the giver's, its effect the taker's. */
async function chainsOfTransfer(read: DirectoryReader, id: string): Promise<string[]> {
  const transfer = await read.get('gateway_transfer', { id })
  return transfer === undefined ? [] : [orgChain(transfer.org), orgChain(transfer.to_org)]
}
