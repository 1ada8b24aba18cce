import { z } from 'zod'
import { DeviceId, GatewayId, GrantId, MemberName, SensorName } from '../../../contract/index.ts'
import type { DirectoryRow } from '../../storage/index.ts'
import { notFound, refuse } from '../errors.ts'
import { demand } from '../kernel/authority.ts'
import { OrgId } from '../kernel/words.ts'
import { command, orgChain, query, type Writing } from '../kernel/write.ts'
import { isFree, policyTo } from '../organisations/configured.ts'

/** A device or one sensor of it, shown to an organisation or to one of its members. */
const DeviceShare = z.strictObject({
  org: OrgId,
  id: GrantId.optional(),
  gateway: GatewayId,
  device: DeviceId,
  sensor: SensorName.nullable(),
  to: z.strictObject({ org: OrgId, member: MemberName.nullable() }),
})

/**
 * Shows a device of `org` in one step: where no policy leads to the other organisation yet, one for viewing is made, so
 * whoever does it needs the right to that too.
 */
export const shareDevice = command({
  name: 'share.device',
  input: DeviceShare,
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, id: asked, gateway, device: name, sensor, to }) {
    const { read, world, at } = writing
    const path = `${gateway}/${name}`
    const device = (await read.get('device', { path, org, state: 'active' })) ?? notFound('device')
    const thing = { kind: 'device', resource: path } as const
    const own = await demand(writing, 'share.grant', { org, thing }, { level: 'viewer' })
    const principal = await principalOf(writing, org, to)
    const id = asked ?? world.newId()
    if (!(await isFree(writing, org, id))) refuse('DIRECTORY_EXISTS', `there is a share ${id} already`)
    if (to.org !== org) await demand(writing, 'crossorg.manage', { org })
    const via = to.org === org ? null : await policyTo(writing, org, to.org, own.user)
    const resource = sensor === null ? path : `${path}/${sensor}`
    await writing.put('grant', {
      id,
      org,
      resource_kind: sensor === null ? 'device' : 'sensor',
      resource,
      ...principal,
      level: 'viewer',
      granted_by: own.user,
      granted_by_org: own.actingOrg,
      granted_by_incarnation: own.incarnation,
      owner_epoch: device.owner_epoch,
      via,
      expires_at: null,
      state: 'live',
      brought_by: null,
      created_at: at,
    })
    return { share: id }
  },
})

/** What the organisation shows of its devices, and what of others' is shown to it. */
export const deviceShares = query({
  input: z.strictObject({ org: OrgId }),
  async run(asking, { org }) {
    await demand(asking, 'org.read', { org })
    const where = { resource_kind: ['device', 'sensor'], state: 'live' } as const
    const given = await asking.read.find('grant', { org, ...where }, { orderBy: ['id'] })
    const received = await asking.read.find('grant', { principal_org: org, ...where }, { orderBy: ['id'] })
    return { given: given.flatMap(shown), received: received.flatMap(shown) }
  },
})

type Principal = Pick<DirectoryRow<'grant'>, 'principal_kind' | 'principal' | 'principal_org' | 'incarnation'>

async function principalOf(
  { read }: Writing,
  own: string,
  { org, member: name }: z.output<typeof DeviceShare>['to'],
): Promise<Principal> {
  if (!(await read.get('organisation', { id: org, state: 'active' }))) notFound('organisation')
  if (name === null) {
    if (org === own) refuse('DIRECTORY_EXISTS', 'the owner sees it anyway')
    return { principal_kind: 'org', principal: org, principal_org: org, incarnation: 0 }
  }
  const state = ['active', 'suspended'] as const
  const member =
    (await read.get('membership', { org, user: name, state })) ??
    // A configured name that two organisations had.
    (await read.get('membership', { org, user: `${org}-${name}`, state })) ??
    notFound('member')
  const { user, incarnation } = member
  return { principal_kind: 'user', principal: user, principal_org: org, incarnation }
}

function shown({
  id,
  resource,
  principal_kind: kind,
  principal,
  principal_org,
  level,
}: DirectoryRow<'grant'>) {
  const [gateway = '', device = '', sensor = null] = resource.split('/')
  if (kind === 'team') return []
  return [
    {
      id,
      gateway,
      device,
      sensor,
      to: { org: principal_org, member: kind === 'org' ? null : principal },
      level,
    },
  ]
}
