import { z } from 'zod'
import { isCapped } from '../../../access/index.ts'
import { Role } from '../../../contract/index.ts'
import type { DirectoryRow } from '../../storage/index.ts'
import { stepUp } from '../accounts/attempts.ts'
import { notFound, refuse } from '../errors.ts'
import { demand, may } from '../kernel/authority.ts'
import { isOwnerRole, packOf, rolesOf } from '../kernel/presets.ts'
import { OrgId, Username } from '../kernel/words.ts'
import { type Asking, command, orgChain, query } from '../kernel/write.ts'
import { assertHasAll, givenToMember } from './having.ts'
import { endMembership } from './leaving.ts'

const OfMember = z.strictObject({ org: OrgId, user: Username })
const MEMBERS_PAGE_MAX = 200

/** Gives a member another role, and the billing add-on (S0.17, S1.8). */
export const changeRole = command({
  name: 'member.change-role',
  input: OfMember.extend({ role: Role, billing: z.boolean().optional() }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, user, role, billing }) {
    const { organisation } = await demand(writing, 'member.role', { org }, { member: user, role })
    if (billing === true) await demand(writing, 'billing.manage', { org })
    const member = await memberOf(writing, org, user)
    if (!rolesOf(organisation).includes(role))
      refuse('DIRECTORY_PRESET_FORBIDS', `there is no role ${role} here`)
    if (packOf(organisation).singleOwner && isOwnerRole(role) !== isOwnerRole(member.role))
      refuse('DIRECTORY_PRESET_FORBIDS', 'ownership is transferred here, not given')
    // Who is no observer any more has again what they were given as somebody else.
    if (isCapped(member.role) && !isCapped(role))
      await assertHasAll(writing, await givenToMember(writing.read, member), { whose: user })
    const hasBilling = billing ?? (isOwnerRole(role) || member.billing === 1)
    // An owner has every right: nobody else could give one back.
    const custom = isOwnerRole(role) ? null : member.custom
    await writing.put('membership', { ...member, role, custom, billing: hasBilling ? 1 : 0 })
    return { org, user, role }
  },
})

/** Suspended members keep everything and may do nothing. */
export const suspend = command({
  name: 'member.suspend',
  input: OfMember.extend({ suspended: z.boolean() }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, user, suspended }) {
    await demand(writing, 'member.remove', { org }, { member: user })
    const member = await memberOf(writing, org, user)
    if (!suspended) {
      // Who comes back gets their role anew, and everything that they were given.
      await demand(writing, 'member.remove', { org }, { member: user, role: member.role })
      await assertHasAll(writing, await givenToMember(writing.read, member), { whose: user })
    }
    await writing.put('membership', { ...member, state: suspended ? 'suspended' : 'active' })
    return { org, user, suspended }
  },
})

/** Removed by an administrator: every role, grant, key and team membership ends (S1.8). */
export const remove = command({
  name: 'member.remove',
  input: OfMember,
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, user }) {
    await demand(writing, 'member.remove', { org }, { member: user })
    const member = await memberOf(writing, org, user)
    await endMembership(writing, member, 'removed')
    return { org, user }
  },
})

/** Leaving by oneself, whatever the role (S0.8): what one owned or was shown stays visible as legacy (S0.9). */
export const leave = command({
  name: 'member.leave',
  input: z.strictObject({ org: OrgId }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org }) {
    const { user } = await demand(writing, 'self.leave', { org })
    await endMembership(writing, await memberOf(writing, org, user), 'left')
    return { org, user }
  },
})

/** Hands ownership to an active member; the old owner becomes administrator (S1.10). */
export const transferOwnership = command({
  name: 'organisation.transfer-ownership',
  input: OfMember.extend({ password: z.string().max(256) }),
  chains: ({ org }) => [orgChain(org)],
  before: (world, actor, { password }) => stepUp(world, actor, password),
  async run(writing, { org, user }) {
    const own = await demand(writing, 'org.transferOwner', { org }, { stepUp: true })
    const heir = await memberOf(writing, org, user)
    if (heir.state !== 'active') refuse('DIRECTORY_FORBIDDEN', `${user} is suspended`)
    if (user === own.user) refuse('DIRECTORY_EXISTS', 'you are the owner already')
    const present = await memberOf(writing, org, own.user)
    const hasAdmins = rolesOf(own.organisation).includes('admin')
    await writing.put('membership', { ...heir, role: present.role, custom: null, billing: 1 })
    await writing.put('membership', {
      ...present,
      role: present.role === 'customer-owner' ? 'customer-manager' : hasAdmins ? 'admin' : 'member',
      billing: 0,
    })
    return { org, owner: user }
  },
})

/** Every member with their role, whatever they came by (S1.7); who may not list others sees themselves. */
export const list = query({
  input: z.strictObject({
    org: OrgId,
    after: Username.optional(),
    limit: z.int().min(1).max(MEMBERS_PAGE_MAX).default(MEMBERS_PAGE_MAX),
  }),
  async run(asking, { org, after, limit }) {
    const own = await demand(asking, 'org.read', { org })
    const all = await may(asking, 'member.list', { org })
    const where = { org, state: ['active', 'suspended'], ...(all ? {} : { user: own.user }) } as const
    const rows = await asking.read.find('membership', where, {
      orderBy: ['user'],
      limit,
      ...(after === undefined ? {} : { after }),
    })
    const users = await asking.read.find('user', { id: rows.map(({ user }) => user) })
    const byId = new Map(users.map((user) => [user.id, user]))
    return rows.map(({ user, role, state, billing, custom, since }) => ({
      user,
      name: byId.get(user)?.name ?? user,
      email: byId.get(user)?.email ?? null,
      role,
      billing: billing === 1,
      custom,
      state,
      since,
    }))
  },
})

/** A member who is one now, suspended or not; throws DIRECTORY_NOT_FOUND. */
export async function memberOf(
  { read }: Asking,
  org: string,
  user: string,
): Promise<DirectoryRow<'membership'>> {
  const member = await read.get('membership', { org, user, state: ['active', 'suspended'] })
  return member ?? notFound('member')
}
