import { z } from 'zod'
import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { notFound, refuse } from '../errors.ts'
import { demand } from '../kernel/authority.ts'
import { packOf } from '../kernel/presets.ts'
import { Id, OrgId } from '../kernel/words.ts'
import { type Asking, command, orgChain, query, type Writing } from '../kernel/write.ts'
import { addTransfer, closed, OFFER_MS, transferable } from '../things/transfers.ts'
import { assertRoomInPlan, quotasOf, workspaceOf, workspacesOf } from './workspaces.ts'
import { moveWorkspace } from './workspace-moves.ts'

const OfTransfer = z.strictObject({ org: OrgId, transfer: Id })

/** Offers a workspace with its gateways to another organisation; the source keeps as many as its vocabulary asks. */
export const offer = command({
  name: 'workspace.offer-transfer',
  input: z.strictObject({ org: OrgId, workspace: Id, to: OrgId }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, workspace, to }) {
    const own = await demand(writing, 'ws.delete', { org, workspace })
    if (to === org) refuse('DIRECTORY_INPUT_INVALID', 'it is yours already')
    await workspaceOf(writing, org, workspace)
    if (await openTransferOf(writing, workspace))
      refuse('DIRECTORY_EXISTS', 'the workspace is being transferred already')
    await assertKept(writing, own.organisation)
    for (const { id } of await gatewaysIn(writing, { org, workspace })) {
      await demand(writing, 'gw.transfer', { org, thing: { kind: 'gateway', resource: id } })
      await transferable(writing, id)
    }
    const id = writing.world.newId()
    const expires_at = writing.at + OFFER_MS
    await writing.put('workspace_transfer', {
      id,
      org,
      workspace,
      to_org: to,
      state: 'offered',
      offered_by: own.user,
      accepted_by: null,
      created_at: writing.at,
      expires_at,
    })
    return { transfer: id, expiresAt: expires_at }
  },
})

/** The destination must have room for it. Gateways cut one by one; the workspace moves with the last of them. */
export const accept = command({
  name: 'workspace.accept-transfer',
  concernsAll: true,
  input: OfTransfer,
  chains: ({ transfer }, _actor, read) => chainsOf(read, transfer),
  async run(writing, { org, transfer: id }) {
    const own = await demand(writing, 'ws.create', { org })
    const transfer = await offeredTo(writing, org, id)
    const { org: from, workspace } = transfer
    const row = await workspaceOf(writing, from, workspace)
    if (Object.keys(quotasOf(row)).length > 0) await demand(writing, 'quota.allocate', { org })
    assertRoomInPlan(own.organisation, await workspacesOf(writing, org), row)
    const source = (await writing.read.get('organisation', { id: from, state: 'active' })) ?? closed()
    await assertKept(writing, source)
    const gateways = await gatewaysIn(writing, { org: from, workspace })
    if (gateways.length > 0) await demand(writing, 'gw.transfer', { org })
    for (const { id: gateway } of gateways) {
      await addTransfer(writing, {
        gateway: await transferable(writing, gateway),
        to: org,
        state: 'accepted',
        offeredBy: transfer.offered_by,
        acceptedBy: own.user,
        workspaceTransfer: id,
      })
    }
    const settling = { ...transfer, state: 'settling', accepted_by: own.user } as const
    await writing.put('workspace_transfer', settling)
    if (gateways.length === 0) await moveWorkspace(writing, settling)
    return { transfer: id, workspace, awaits: gateways.map((gateway) => gateway.id) }
  },
})

/** By the source before it is accepted, or by the destination that does not want it. */
export const cancel = command({
  name: 'workspace.cancel-transfer',
  concernsAll: true,
  input: OfTransfer,
  chains: ({ transfer }, _actor, read) => chainsOf(read, transfer),
  async run(writing, { org, transfer: id }) {
    await demand(writing, 'org.read', { org })
    const transfer = await writing.read.get('workspace_transfer', { id })
    if (transfer?.org !== org && transfer?.to_org !== org) return notFound('transfer')
    if (transfer.org === org) await demand(writing, 'ws.delete', { org, workspace: transfer.workspace })
    else await demand(writing, 'ws.create', { org })
    if (transfer.state !== 'offered') return closed()
    await writing.put('workspace_transfer', { ...transfer, state: 'cancelled' })
    return { transfer: id }
  },
})

export const list = query({
  input: z.strictObject({ org: OrgId }),
  async run(asking, { org }) {
    await demand(asking, 'ws.create', { org })
    const state = ['offered', 'settling'] as const
    const given = await asking.read.find('workspace_transfer', { org, state }, { orderBy: ['id'] })
    const taken = await asking.read.find('workspace_transfer', { to_org: org, state }, { orderBy: ['id'] })
    const shown = (row: DirectoryRow<'workspace_transfer'>) => ({
      transfer: row.id,
      workspace: row.workspace,
      from: row.org,
      to: row.to_org,
      state: row.state === 'offered' && row.expires_at <= asking.at ? ('expired' as const) : row.state,
      expiresAt: row.expires_at,
    })
    return { given: given.map(shown), taken: taken.map(shown) }
  },
})

/** Throws DIRECTORY_QUOTA_EXCEEDED where the source would be left with fewer workspaces than it keeps. */
async function assertKept(writing: Writing, organisation: DirectoryRow<'organisation'>): Promise<void> {
  const { workspacesKept } = packOf(organisation)
  const present = await workspacesOf(writing, organisation.id)
  if (present.length - 1 < workspacesKept)
    refuse('DIRECTORY_QUOTA_EXCEEDED', `${workspacesKept} workspaces stay with ${organisation.name}`)
}

/** The gateways that go along. Throws DIRECTORY_EXISTS for devices of the workspace that hang elsewhere. */
async function gatewaysIn(
  { read }: Asking,
  { org, workspace }: { org: string; workspace: string },
): Promise<DirectoryRow<'gateway'>[]> {
  const gateways = await read.find('gateway', { org, workspace, state: 'claimed' }, { orderBy: ['id'] })
  const ids = new Set(gateways.map(({ id }) => id))
  const devices = await read.find('device', { org, workspace, state: 'active' })
  const left = devices.find(({ gateway }) => !ids.has(gateway))
  if (left !== undefined)
    refuse('DIRECTORY_EXISTS', `${left.path} hangs on a gateway outside the workspace: move it first`)
  return gateways
}

async function openTransferOf({ read, at }: Asking, workspace: string): Promise<boolean> {
  const open = await read.find('workspace_transfer', { workspace, state: ['offered', 'settling'] })
  return open.some(({ state, expires_at }) => state === 'settling' || expires_at > at)
}

async function offeredTo(
  { read, at }: Asking,
  to_org: string,
  id: string,
): Promise<DirectoryRow<'workspace_transfer'>> {
  const transfer = (await read.get('workspace_transfer', { id, to_org })) ?? notFound('transfer')
  return transfer.state === 'offered' && transfer.expires_at > at ? transfer : closed()
}

async function chainsOf(read: DirectoryReader, id: string): Promise<string[]> {
  const transfer = await read.get('workspace_transfer', { id })
  return transfer === undefined ? [] : [orgChain(transfer.org), orgChain(transfer.to_org)]
}
