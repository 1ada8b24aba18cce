import { z } from 'zod'
import { GatewayId, type Grantee, Level, Right, TeamHandle } from '../../../contract/index.ts'
import type { DirectoryRow, ResourceKind } from '../../storage/index.ts'
import { provenAccount } from '../accounts/addresses.ts'
import { DirectoryRefusal, notFound, refuse } from '../errors.ts'
import { demand, may, type Standing } from '../kernel/authority.ts'
import { foldEmail } from '../kernel/fold.ts'
import { assertRoomForShare } from '../kernel/limits.ts'
import { shownTo } from '../kernel/shown.ts'
import { DevicePath, Email, Id, OrgId, SensorPath, Username } from '../kernel/words.ts'
import { type Asking, command, orgChain, query, type Writing } from '../kernel/write.ts'
import { policyBetween } from '../organisations/policies.ts'

/**
 * What is shared: a gateway `GW-1`, a device `GW-1/tilt-1`, a sensor `GW-1/tilt-1/main`, or a view or alert by id. Of as
 * many parts as its kind has: with one more or less it would be listed and ended as something else than it opens.
 */
export const Thing = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('gateway'), resource: GatewayId }),
  z.strictObject({ kind: z.literal('device'), resource: DevicePath }),
  z.strictObject({ kind: z.literal('sensor'), resource: SensorPath }),
  z.strictObject({ kind: z.enum(['view', 'alert']), resource: Id }),
])
type Thing = z.infer<typeof Thing>

const To = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('user'), user: Username, org: OrgId.optional() }),
  z.strictObject({ kind: z.literal('email'), email: Email }),
  z.strictObject({ kind: z.literal('team'), handle: TeamHandle, org: OrgId.optional() }),
  z.strictObject({ kind: z.literal('org'), org: OrgId }),
])
type To = z.infer<typeof To>

/**
 * Shares a thing of `org`, at most at one's own level; outside the organisation only where a policy leads there (S0.21).
 * A view brings its gateways along for viewing, all of them or nothing is shared (edge case 7).
 */
export const share = command({
  name: 'share.grant',
  input: z.strictObject({ org: OrgId, thing: Thing, to: To, level: Level.default('viewer') }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, thing, to: asked, level }) {
    await demand(writing, 'share.grant', { org, thing })
    const to = await granteeOf(writing, org, asked)
    const own = await demandSharing(writing, { org, thing, level, to })
    if (level === 'owner') await demand(writing, 'share.changeOwner', { org, thing })
    const grant = await grantTo(writing, { org, thing, to, level, own, broughtBy: null })
    const brought = thing.kind === 'view' ? await bringGateways(writing, { org, thing, to, own, grant }) : []
    return { grant, brought }
  },
})

/** Ends a share, with all that it brought along; also what somebody who left was left with. */
export const revoke = command({
  name: 'share.revoke',
  input: z.strictObject({ org: OrgId, grant: Id }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, grant: id }) {
    const grant = await writing.read.get('grant', { id, org, state: ['live', 'legacy'] })
    if (grant === undefined || grant.resource_kind === 'workspace') return notFound('share')
    const thing = { kind: grant.resource_kind, resource: grant.resource }
    await demand(writing, 'share.revoke', { org, thing }, { grant: id })
    if (grant.level === 'owner') await demand(writing, 'share.changeOwner', { org, thing })
    await writing.put('grant', { ...grant, state: 'revoked' })
    for (const brought of await writing.read.find('grant', {
      brought_by: id,
      org,
      state: ['live', 'legacy'],
    }))
      await writing.put('grant', { ...brought, state: 'revoked' })
    return { grant: id }
  },
})

/** With whom a thing is shared, by what, and what of it is asleep for want of a policy. */
export const list = query({
  input: z.strictObject({ org: OrgId, thing: Thing }),
  async run(asking, { org, thing }) {
    const { actingOrg } = await demand(asking, 'share.grant', { org, thing })
    return described(
      asking,
      actingOrg,
      await asking.read.find('grant', { org, resource: thing.resource, state: SEEN }),
    )
  },
})

/** What people who left still see: an administrator may end each (S0.9). */
export const legacy = query({
  input: z.strictObject({ org: OrgId }),
  async run(asking, { org }) {
    const { actingOrg } = await demand(asking, 'org.visibility', { org })
    return described(asking, actingOrg, await asking.read.find('grant', { org, state: 'legacy' }))
  },
})

/** Whether the actor may do something to a thing, and by what ways. */
export const check = query({
  input: z.strictObject({ org: OrgId, right: Right, thing: Thing }),
  async run(asking, { org, right, thing }) {
    return { allowed: await may(asking, right, { org, thing }) }
  },
})

const SEEN = ['live', 'legacy'] as const

async function described(asking: Asking, viewer: string, grants: readonly DirectoryRow<'grant'>[]) {
  const via = grants.flatMap((grant) => grant.via ?? [])
  const live = await asking.read.find('cross_org_policy', { id: via, state: 'active' })
  const policies = new Set(live.map(({ id }) => id))
  return grants.map((grant) => ({
    grant: grant.id,
    thing: { kind: grant.resource_kind, resource: grant.resource },
    to: { kind: grant.principal_kind, id: grant.principal, org: grant.principal_org },
    level: grant.level,
    state: grant.via !== null && !policies.has(grant.via) ? ('dormant' as const) : grant.state,
    broughtBy: grant.brought_by,
    grantedBy: shownTo(
      { viewer, owner: grant.org },
      { kind: 'user', id: grant.granted_by, org: grant.granted_by_org },
    ),
    createdAt: grant.created_at,
  }))
}

interface ResolvedTo {
  readonly grantee: Grantee
  readonly principal: Pick<
    DirectoryRow<'grant'>,
    'principal_kind' | 'principal' | 'principal_org' | 'incarnation'
  >
}

/** Whom it is for, in names and in rows. */
async function granteeOf(writing: Writing, ownOrg: string, to: To): Promise<ResolvedTo> {
  const { read } = writing
  switch (to.kind) {
    case 'org':
      return resolved({ kind: 'org', org: to.org }, to.org)
    case 'team': {
      const org = to.org ?? OrgId.parse(ownOrg)
      const team = await read.get('team', { org, handle: to.handle, state: 'active' })
      return resolved({ kind: 'team', org, team: to.handle }, team?.id ?? '')
    }
    case 'user':
      return person(writing, to.org ?? ownOrg, to.user)
    case 'email': {
      const user = await provenAccount(read, to.email)
      if (user === undefined) {
        await assertNotInvited(writing, ownOrg, foldEmail(to.email))
        return notFound('account with this address')
      }
      return person(writing, ownOrg, user.id)
    }
  }
}

async function person(writing: Writing, org: string, name: string): Promise<ResolvedTo> {
  const where = { org, user: name, state: ['active', 'suspended'] } as const
  const incarnation = (await writing.read.get('membership', where))?.incarnation ?? 1
  return resolved({ kind: 'member', org, name, incarnation } as Grantee, name)
}

/** Throws DIRECTORY_INVITEE_PENDING for who has not accepted (S0.20), and what else stands against it. */
async function demandSharing(
  writing: Writing,
  { org, thing, level, to: { grantee: to } }: Pick<Giving, 'org' | 'thing' | 'to'> & { level: Level },
): Promise<Standing> {
  try {
    return await demand(writing, 'share.grant', { org, thing }, { level, to })
  } catch (error) {
    // Only now: where no policy leads, nobody learns whom the other organisation has invited.
    const isNoMember = error instanceof DirectoryRefusal && error.code === 'DIRECTORY_NOT_FOUND'
    if (isNoMember && to.kind === 'member') {
      const user = await writing.read.get('user', { id: to.name })
      if (user !== undefined) await assertNotInvited(writing, to.org, user.email_key)
    }
    throw error
  }
}

async function assertNotInvited({ read, at }: Writing, org: string, email_key: string): Promise<void> {
  const open = await read.find('invitation', { org, email_key, state: 'open' })
  if (open.some(({ expires_at }) => expires_at > at))
    refuse('DIRECTORY_INVITEE_PENDING', 'the invitation has not been accepted yet')
}

const resolved = (grantee: Grantee, principal: string): ResolvedTo => ({
  grantee,
  principal: {
    principal_kind: grantee.kind === 'member' ? 'user' : grantee.kind,
    principal,
    principal_org: grantee.org,
    incarnation: grantee.kind === 'member' ? grantee.incarnation : 0,
  },
})

interface Giving {
  readonly org: string
  readonly thing: { readonly kind: ResourceKind; readonly resource: string }
  readonly to: ResolvedTo
  readonly own: Standing
}

/** One grant for one thing and principal: another level takes the place of the one before. */
async function grantTo(
  writing: Writing,
  { org, thing, to, level, own, broughtBy }: Giving & { level: Level; broughtBy: string | null },
): Promise<string> {
  const { read, world, at } = writing
  const { principal } = to
  const here = { org, resource: thing.resource, state: 'live' as const }
  const present = await read.get('grant', { ...here, ...principal })
  if (present?.level === 'owner' && level !== 'owner')
    await demand(writing, 'share.changeOwner', { org, thing: thing })
  if (present === undefined) await assertRoomForShare(writing, own, thing)
  const policy =
    principal.principal_org === org ? undefined : await policyBetween(writing, org, principal.principal_org)
  const id = present?.id ?? world.newId()
  await writing.put('grant', {
    id,
    org,
    resource_kind: thing.kind,
    resource: thing.resource,
    ...principal,
    level,
    granted_by: own.user,
    granted_by_org: own.actingOrg,
    granted_by_incarnation: own.incarnation,
    owner_epoch: await ownerEpochOf(writing, thing),
    via: policy?.id ?? null,
    expires_at: null,
    state: 'live',
    brought_by: broughtBy,
    created_at: present?.created_at ?? at,
  })
  return id
}

async function ownerEpochOf({ read }: Writing, { kind, resource }: Giving['thing']): Promise<number> {
  const [gateway = '', device] = resource.split('/')
  if (kind === 'gateway') return (await read.get('gateway', { id: gateway }))?.owner_epoch ?? 1
  if (kind !== 'device' && kind !== 'sensor') return 1
  return (await read.get('device', { path: `${gateway}/${device ?? ''}` }))?.owner_epoch ?? 1
}

/** Every gateway of the view must be the organisation's and shareable by who shares; the first that is not ends it all. */
async function bringGateways(
  writing: Writing,
  { org, thing, to, own, grant }: Giving & { grant: string },
): Promise<string[]> {
  const view = await writing.read.get('saved_view', { id: thing.resource, org })
  const gateways = z.array(z.string()).parse(JSON.parse(view?.gateways ?? '[]'))
  const brought: string[] = []
  for (const gateway of gateways) {
    const on = { kind: 'gateway', resource: gateway } as const
    await demand(writing, 'share.grant', { org, thing: on }, { level: 'viewer', to: to.grantee })
    const there = await writing.read.get('grant', { org, resource: gateway, state: 'live', ...to.principal })
    if (there === undefined)
      brought.push(await grantTo(writing, { org, thing: on, to, own, level: 'viewer', broughtBy: grant }))
  }
  return brought
}
