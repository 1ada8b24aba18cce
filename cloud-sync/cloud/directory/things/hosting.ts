import { z } from 'zod'
import { DeviceId, GatewayId } from '../../../contract/index.ts'
import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { notFound, refuse } from '../errors.ts'
import { demand } from '../kernel/authority.ts'
import { assertRoom, MAX } from '../kernel/limits.ts'
import { Id, OrgId, Title, Username } from '../kernel/words.ts'
import { type Asking, command, orgChain, query } from '../kernel/write.ts'
import { assertEntrusts, placement } from './gateways.ts'
import { takeAway } from './removal.ts'
import { closed, OFFER_MS } from './transfers.ts'

const OfHosting = z.strictObject({ org: OrgId, hosting: Id })

/**
 * A host offers to take another organisation's device on its gateway; the guest accepts or it expires. The answer does
 * not tell whether there is such an organisation.
 */
export const offer = command({
  name: 'hosting.offer',
  input: z.strictObject({ org: OrgId, gateway: GatewayId, device: DeviceId, name: Title, guest: OrgId }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, gateway, device, name, guest }) {
    const own = await demand(writing, 'device.host', { org, thing: { kind: 'gateway', resource: gateway } })
    if (guest === org) refuse('DIRECTORY_INPUT_INVALID', 'nobody is their own guest: add the device')
    await assertFree(writing, `${gateway}/${device}`)
    const id = writing.world.newId()
    const expires_at = writing.at + OFFER_MS
    await writing.put('hosting', {
      id,
      org,
      gateway,
      guest,
      device,
      name,
      state: 'offered',
      offered_by: own.user,
      created_at: writing.at,
      expires_at,
    })
    return { hosting: id, expiresAt: expires_at }
  },
})

/** The guest's owner or administrator agrees: the device is the guest's own, on the host's gateway. */
export const accept = command({
  name: 'hosting.accept',
  input: OfHosting.extend({ workspace: Id.optional(), custodian: Username.optional() }),
  chains: ({ hosting }, _actor, read) => chainsOf(read, hosting),
  async run(writing, { org, hosting: id, workspace, custodian }) {
    const own = await demand(writing, 'crossorg.manage', { org })
    const hosting = await offeredTo(writing, org, id)
    const { gateway, name } = hosting
    if ((await writing.read.get('gateway', { id: gateway, org: hosting.org })) === undefined) return closed()
    const path = `${gateway}/${hosting.device}`
    const before = await assertFree(writing, path)
    if (workspace !== undefined) await demand(writing, 'ws.update', { org, workspace })
    await assertEntrusts(writing, own, { custodian, on: { org }, isNew: before === undefined })
    const count = await writing.read.count('device', { gateway, state: 'active' })
    assertRoom('devices on one gateway', { count, max: MAX.devicesOnGateway })
    const placed = await placement(writing, { org, workspace, custodian })
    const epoch = (before?.owner_epoch ?? 0) + 1
    const device = { path, gateway, org, ...placed, owner_epoch: epoch, name, diagnostic: 0 }
    await writing.put('device', { ...device, state: 'active', created_at: writing.at })
    await writing.put('hosting', { ...hosting, state: 'accepted' })
    return { device: path }
  },
})

export const decline = command({
  name: 'hosting.decline',
  input: OfHosting,
  chains: ({ hosting }, _actor, read) => chainsOf(read, hosting),
  async run(writing, { org, hosting: id }) {
    await demand(writing, 'crossorg.manage', { org })
    await writing.put('hosting', { ...(await offeredTo(writing, org, id)), state: 'declined' })
    return { hosting: id }
  },
})

/** The host takes the guest's device off its gateway, or its offer back; what was measured stays the guest's. */
export const end = command({
  name: 'hosting.end',
  input: OfHosting,
  chains: ({ hosting }, _actor, read) => chainsOf(read, hosting),
  async run(writing, { org, hosting: id }) {
    await demand(writing, 'org.read', { org })
    const hosting =
      (await writing.read.get('hosting', { id, org, state: ['offered', 'accepted'] })) ?? notFound('hosting')
    const { gateway, device: name, guest } = hosting
    await demand(writing, 'device.host', { org, thing: { kind: 'gateway', resource: gateway } })
    const device = await writing.read.get('device', {
      path: `${gateway}/${name}`,
      org: guest,
      state: 'active',
    })
    if (hosting.state === 'accepted' && device !== undefined) await takeAway(writing, device)
    await writing.put('hosting', { ...hosting, state: 'ended' })
    return { hosting: id }
  },
})

/** Whom the organisation hosts, and where it is a guest. */
export const list = query({
  input: z.strictObject({ org: OrgId }),
  async run(asking, { org }) {
    await demand(asking, 'crossorg.manage', { org })
    const state = ['offered', 'accepted'] as const
    const hosts = await asking.read.find('hosting', { org, state }, { orderBy: ['id'] })
    const visits = await asking.read.find('hosting', { guest: org, state }, { orderBy: ['id'] })
    return {
      hosts: hosts.map((row) => shown(row, asking.at)),
      visits: visits.map((row) => shown(row, asking.at)),
    }
  },
})

const shown = (row: DirectoryRow<'hosting'>, at: number) => ({
  hosting: row.id,
  host: row.org,
  guest: row.guest,
  device: `${row.gateway}/${row.device}`,
  name: row.name,
  state: row.state === 'offered' && row.expires_at <= at ? ('expired' as const) : row.state,
  expiresAt: row.expires_at,
})

async function offeredTo({ read, at }: Asking, guest: string, id: string): Promise<DirectoryRow<'hosting'>> {
  const hosting = (await read.get('hosting', { id, guest })) ?? notFound('hosting')
  return hosting.state === 'offered' && hosting.expires_at > at ? hosting : closed()
}

/** The device of this name that was there before; throws DIRECTORY_EXISTS where one is there now. */
async function assertFree({ read }: Asking, path: string): Promise<DirectoryRow<'device'> | undefined> {
  const before = await read.get('device', { path })
  if (before?.state === 'active') refuse('DIRECTORY_EXISTS', `${path} is there already`)
  return before
}

async function chainsOf(read: DirectoryReader, id: string): Promise<string[]> {
  const hosting = await read.get('hosting', { id })
  return hosting === undefined ? [] : [orgChain(hosting.org), orgChain(hosting.guest)]
}
