import { z } from 'zod'
import { Role } from '../../../contract/index.ts'
import type { DirectoryRow } from '../../storage/index.ts'
import { provePassword } from '../accounts/attempts.ts'
import { notFound, refuse } from '../errors.ts'
import { demand, may } from '../kernel/authority.ts'
import { membershipRules } from '../kernel/presets.ts'
import { assertMayChange, assertMayGive, isOwnerRole } from '../kernel/ranks.ts'
import { OrgId, Username } from '../kernel/words.ts'
import { type Asking, command, orgChain, query, type Writing } from '../kernel/write.ts'
import { endMembership } from './leaving.ts'

const OfMember = z.strictObject({ org: OrgId, user: Username })
const MEMBERS_PAGE_MAX = 200

/** Gives a member another role, and the billing add-on (S0.17, S1.8). */
export const changeRole = command({
  name: 'member.change-role',
  input: OfMember.extend({ role: Role, billing: z.boolean().optional() }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, user, role, billing }) {
    const own = await demand(writing, 'member.role', { org })
    const member = await memberOf(writing, org, user)
    const { roles, oneOwner } = membershipRules(own.organisation.preset)
    if (!roles.includes(role)) refuse('DIRECTORY_PRESET_FORBIDS', `there is no role ${role} here`)
    if (oneOwner && isOwnerRole(role) !== isOwnerRole(member.role))
      refuse('DIRECTORY_PRESET_FORBIDS', 'ownership is transferred here, not given')
    assertMayChange(own.role, member.role)
    assertMayGive(own, role)
    if (billing === true && !own.billing && !isOwnerRole(own.role))
      refuse('DIRECTORY_ABOVE_RANK', 'who has no billing cannot give it')
    if (isOwnerRole(member.role) && !isOwnerRole(role)) await assertOtherOwner(writing, member)
    const hasBilling = billing ?? (isOwnerRole(role) || member.billing === 1)
    await writing.put('membership', { ...member, role, billing: hasBilling ? 1 : 0 })
    return { org, user, role }
  },
})

/** Suspended members keep everything and may do nothing. */
export const suspend = command({
  name: 'member.suspend',
  input: OfMember.extend({ suspended: z.boolean() }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, user, suspended }) {
    const own = await demand(writing, 'member.remove', { org })
    const member = await memberOf(writing, org, user)
    assertMayChange(own.role, member.role)
    if (suspended && isOwnerRole(member.role)) await assertOtherOwner(writing, member)
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
    const own = await demand(writing, 'member.remove', { org })
    const member = await memberOf(writing, org, user)
    assertMayChange(own.role, member.role)
    if (isOwnerRole(member.role)) await assertOtherOwner(writing, member)
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
    const member = await memberOf(writing, org, user)
    if (isOwnerRole(member.role)) await assertOtherOwner(writing, member)
    await endMembership(writing, member, 'left')
    return { org, user }
  },
})

/** Hands ownership to an active member; the old owner becomes administrator (S1.10). */
export const transferOwnership = command({
  name: 'organisation.transfer-ownership',
  input: OfMember.extend({ password: z.string().max(256) }),
  chains: ({ org }) => [orgChain(org)],
  before: async (world, actor, { password }) => {
    if (actor.kind !== 'user') return refuse('DIRECTORY_SIGNED_OUT', 'nobody is signed in')
    await provePassword(world, actor.user, password)
  },
  async run(writing, { org, user }) {
    const own = await demand(writing, 'org.transferOwner', { org })
    const heir = await memberOf(writing, org, user)
    if (heir.state !== 'active') refuse('DIRECTORY_FORBIDDEN', `${user} is suspended`)
    if (user === own.user) refuse('DIRECTORY_EXISTS', 'you are the owner already')
    const present = await memberOf(writing, org, own.user)
    const below = membershipRules(own.organisation.preset).roles.filter((role) => !isOwnerRole(role))
    await writing.put('membership', { ...heir, role: present.role, billing: 1 })
    await writing.put('membership', {
      ...present,
      role: present.role === 'customer-owner' ? 'customer-manager' : (below.at(-1) ?? 'member'),
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
    return rows.map(({ user, role, state, billing, since }) => ({
      user,
      name: byId.get(user)?.name ?? user,
      email: byId.get(user)?.email ?? null,
      role,
      billing: billing === 1,
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

/** Nobody takes the last owner away (S2.10): suspended owners do not count, they could do nothing. */
async function assertOtherOwner({ read }: Writing, { org, user }: DirectoryRow<'membership'>): Promise<void> {
  const owners = await read.find('membership', { org, role: ['owner', 'customer-owner'], state: 'active' })
  if (!owners.some((owner) => owner.user !== user))
    refuse('DIRECTORY_LAST_OWNER', `${user} is the last owner of ${org}`)
}
