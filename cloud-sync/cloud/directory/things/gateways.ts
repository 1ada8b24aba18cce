import { z } from 'zod'
import { DeviceId, GatewayId, PublicKey } from '../../../contract/index.ts'
import type { DirectoryRow } from '../../storage/index.ts'
import { notFound, refuse } from '../errors.ts'
import { activeOrganisation, demand, demandOperator, type Standing } from '../kernel/authority.ts'
import type { Target } from '../kernel/gather.ts'
import { assertRoomFor, MAX } from '../kernel/limits.ts'
import { DevicePath, Id, OrgId, Title, Username } from '../kernel/words.ts'
import { type Asking, command, orgChain, type Writing } from '../kernel/write.ts'
import { memberOf } from '../organisations/members.ts'
import { workspaceOf } from '../organisations/workspaces.ts'
import { assertUnlinked } from './components.ts'
import { recordOwnership } from './ownership.ts'
import { takeAway } from './removal.ts'

const Machine = z.strictObject({ kind: z.enum(['gateway', 'device']), resource: z.string().max(130) })

/** A gateway that is there and whose it is; claiming on site comes in by another way. */
export const register = command({
  name: 'gateway.register',
  input: z.strictObject({
    org: OrgId,
    gateway: GatewayId,
    publicKey: PublicKey,
    workspace: Id.optional(),
    custodian: Username.optional(),
  }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, gateway: id, publicKey, workspace, custodian }) {
    await demandOperator(writing)
    if ((await activeOrganisation(writing, org)) === undefined) return notFound('organisation')
    if (await writing.read.get('gateway', { id })) refuse('DIRECTORY_EXISTS', `${id} is registered already`)
    const placed = await placement(writing, { org, workspace, custodian })
    await writing.put('gateway', {
      id,
      org,
      ...placed,
      owner_epoch: 1,
      public_key: publicKey,
      state: 'claimed',
      created_at: writing.at,
    })
    await recordOwnership(writing, { gateway: id, epoch: 1, from: null, to: org, acknowledged: null })
    return { gateway: id }
  },
})

/** A device on one of the organisation's own gateways. */
export const addDevice = command({
  name: 'device.add',
  input: z.strictObject({
    org: OrgId,
    gateway: GatewayId,
    device: DeviceId,
    name: Title,
    workspace: Id.optional(),
    custodian: Username.optional(),
  }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, gateway, device, name, workspace, custodian }) {
    const on = { org, thing: { kind: 'gateway', resource: gateway } } as const
    const own = await demand(writing, 'device.config', on)
    const path = `${gateway}/${device}`
    const before = await writing.read.get('device', { path })
    if (before?.state === 'active') refuse('DIRECTORY_EXISTS', `${path} is there already`)
    if (workspace !== undefined) await demand(writing, 'device.config', { org, workspace })
    await assertEntrusts(writing, own, { custodian, on, isNew: before === undefined })
    const count = await writing.read.count('device', { gateway, state: 'active' })
    assertRoomFor(own, 'devices on one gateway', { count, max: MAX.devicesOnGateway })
    const placed = await placement(writing, { org, workspace, custodian })
    await writing.put('device', {
      path,
      gateway,
      org,
      ...placed,
      // What was granted on an earlier device of this name reaches this one no more.
      owner_epoch: (before?.owner_epoch ?? 0) + 1,
      name,
      diagnostic: 0,
      state: 'active',
      created_at: writing.at,
    })
    return { device: path }
  },
})

/** Removed from its gateway; alerts about it and shares of it end. */
export const removeDevice = command({
  name: 'device.remove',
  input: z.strictObject({ org: OrgId, device: DevicePath }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, device: path }) {
    await demand(writing, 'device.config', { org, thing: { kind: 'device', resource: path } })
    const row = await writing.read.get('device', { path, org, state: 'active' })
    if (row === undefined) return notFound('device')
    await assertUnlinked(writing, org, path)
    await takeAway(writing, row)
    return { device: path }
  },
})

/** The member who owns it in the sense of billing and sharing (S0.32); null = nobody in particular. */
export const setCustodian = command({
  name: 'thing.set-custodian',
  input: Machine.extend({ org: OrgId, user: Username.nullable() }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, kind, resource, user }) {
    await demand(writing, 'share.changeOwner', { org, thing: { kind, resource } })
    if (user !== null) {
      await demand(writing, 'share.changeOwner', { org, thing: { kind, resource } }, { level: 'owner' })
      await memberOf(writing, org, user)
    }
    const row = await machineOf(writing, org, { kind, resource })
    if (kind === 'gateway')
      await writing.put('gateway', { ...(row as DirectoryRow<'gateway'>), custodian: user })
    else await writing.put('device', { ...(row as DirectoryRow<'device'>), custodian: user })
    return { resource, custodian: user }
  },
})

/** The row of a gateway or device of this organisation. */
async function machineOf(
  { read }: Asking,
  org: string,
  { kind, resource }: { kind: 'gateway' | 'device'; resource: string },
): Promise<DirectoryRow<'gateway'> | DirectoryRow<'device'>> {
  const row =
    kind === 'gateway'
      ? await read.get('gateway', { id: resource, org })
      : await read.get('device', { path: resource, org })
  return row ?? notFound(kind)
}

/**
 * Who adds a device that never was may look after it themselves. Whoever makes anybody else its custodian, or themselves
 * that of one which was there before, gives what an owner of `on` has, and must have it.
 */
export async function assertEntrusts(
  writing: Writing,
  { user, actingOrg }: Standing,
  {
    custodian,
    on,
    isNew,
  }: { readonly custodian: string | undefined; readonly on: Target; readonly isNew: boolean },
): Promise<void> {
  const isOwnNew = isNew && custodian === user && actingOrg === on.org
  if (custodian === undefined || isOwnNew) return
  await demand(writing, 'share.changeOwner', on, { level: 'owner' })
}

/** Whether there are such a workspace and such a member; throws DIRECTORY_NOT_FOUND. */
export async function placement(
  writing: Writing,
  {
    org,
    workspace,
    custodian,
  }: { org: string; workspace: string | undefined; custodian: string | undefined },
): Promise<{ workspace: string | null; custodian: string | null }> {
  if (workspace !== undefined) await workspaceOf(writing, org, workspace)
  if (custodian !== undefined) await memberOf(writing, org, custodian)
  return { workspace: workspace ?? null, custodian: custodian ?? null }
}
