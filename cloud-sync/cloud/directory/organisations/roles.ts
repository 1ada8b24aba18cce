import { z } from 'zod'
import { Right, RIGHTS } from '../../../contract/index.ts'
import type { DirectoryRow } from '../../storage/index.ts'
import { notFound, refuse } from '../errors.ts'
import { demand, type Standing } from '../kernel/authority.ts'
import { isOwnerRole } from '../kernel/presets.ts'
import { Id, OrgId, Title, Username } from '../kernel/words.ts'
import { type Asking, command, orgChain, query, type Writing } from '../kernel/write.ts'
import { assertHasAll, givenToAll, givenToMember } from './having.ts'
import { memberOf } from './members.ts'

const OfRole = z.strictObject({ org: OrgId, role: Id })
const Without = z.array(Right).min(1).max(RIGHTS.length)
const ROLES_MAX = 100

/** A role of the organisation's own: whatever else somebody is, without these rights. It never adds any. */
export const create = command({
  name: 'role.create',
  input: z.strictObject({ org: OrgId, name: Title.max(64), without: Without }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, name, without }) {
    await demand(writing, 'member.role', { org })
    if ((await rolesIn(writing, org)).length >= ROLES_MAX)
      refuse('DIRECTORY_QUOTA_EXCEEDED', `${ROLES_MAX} roles at most`)
    const id = writing.world.newId()
    await writing.put('custom_role', rowOf({ id, org, name, without }, writing.at))
    return { role: id }
  },
})

/** Changes it for all who bear it: only who might change the role of each of them. */
export const update = command({
  name: 'role.update',
  input: OfRole.extend({ name: Title.max(64).optional(), without: Without.optional() }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, role: id, name, without }) {
    const own = await demand(writing, 'member.role', { org })
    const row = await roleOf(writing, org, id)
    const before = withoutOf(row)
    const back = before.filter((right) => without !== undefined && !without.includes(right))
    const bearers = await bearersOf(writing, org, id)
    for (const { user, role } of bearers)
      await demand(writing, 'member.role', { org }, { member: user, role, back })
    await assertGivesBack(writing, bearers, { back, whose: row.name })
    await assertKeepsOwn(writing, own, { before, after: without ?? before })
    const changed = { id, org, name: name ?? row.name, without: without ?? before }
    await writing.put('custom_role', rowOf(changed, row.created_at))
    return { role: id }
  },
})

/** Nobody may bear it any more: who did would suddenly have everything again, or nothing. */
export const remove = command({
  name: 'role.delete',
  input: OfRole,
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, role: id }) {
    await demand(writing, 'member.role', { org })
    const row = await roleOf(writing, org, id)
    const [bearer] = await bearersOf(writing, org, id)
    if (bearer !== undefined) refuse('DIRECTORY_EXISTS', `${bearer.user} still has this role`)
    await writing.put('custom_role', { ...row, state: 'deleted' })
    return { role: id }
  },
})

/** Gives it to a member, or takes it away with null; an owner has every right. */
export const assign = command({
  name: 'member.set-custom-role',
  input: z.strictObject({ org: OrgId, user: Username, role: Id.nullable() }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, user, role: id }) {
    const member = await memberOrRefused(writing, org, user)
    const own = await demand(writing, 'member.role', { org }, { member: user, role: member.role })
    if (isOwnerRole(member.role)) refuse('DIRECTORY_FORBIDDEN', 'an owner has every right')
    const after = id === null ? [] : withoutOf(await roleOf(writing, org, id))
    const before = member.custom === null ? [] : withoutOf(await roleOf(writing, org, member.custom))
    const back = before.filter((right) => !after.includes(right))
    await demand(writing, 'member.role', { org }, { member: user, role: member.role, back })
    await assertGivesBack(writing, [member], { back, whose: user })
    await assertKeepsOwn(writing, own, { before, after })
    await writing.put('membership', { ...member, custom: id })
    return { org, user, role: id }
  },
})

export const list = query({
  input: z.strictObject({ org: OrgId }),
  async run(asking, { org }) {
    await demand(asking, 'org.read', { org })
    return (await rolesIn(asking, org)).map((row) => ({
      id: row.id,
      name: row.name,
      without: withoutOf(row),
    }))
  },
})

/** First whether the asker may know of them. */
async function memberOrRefused(
  writing: Writing,
  org: string,
  user: string,
): Promise<DirectoryRow<'membership'>> {
  await demand(writing, 'member.role', { org })
  return memberOf(writing, org, user)
}

/** What the role took from all that its bearers were given, they have there again: so must who gives it back. */
async function assertGivesBack(
  writing: Writing,
  bearers: readonly DirectoryRow<'membership'>[],
  { back, whose }: { back: readonly Right[]; whose: string },
): Promise<void> {
  if (back.length === 0) return
  const [first] = bearers
  const given = first === undefined ? [] : await givenToAll(writing.read, first.org)
  for (const bearer of bearers) given.push(...(await givenToMember(writing.read, bearer)))
  await assertHasAll(writing, given, { whose, among: back })
}

/** Nobody gives back what was taken from themselves: that would be giving what they lack. */
async function assertKeepsOwn(
  { read }: Asking,
  { user, actingOrg }: Standing,
  { before, after }: { before: readonly Right[]; after: readonly Right[] },
): Promise<void> {
  const me = await read.get('membership', { org: actingOrg, user })
  if (me?.custom === null || me === undefined) return
  const mine = await read.get('custom_role', { id: me.custom, org: actingOrg })
  const lacking = mine === undefined ? RIGHTS : withoutOf(mine)
  const given = lacking.filter((right) => before.includes(right) && !after.includes(right))
  if (given.length > 0) refuse('DIRECTORY_ABOVE_RANK', `you lack ${given.join(', ')} yourself`)
}

const rowOf = (
  { id, org, name, without }: { id: string; org: string; name: string; without: readonly Right[] },
  created_at: number,
): DirectoryRow<'custom_role'> => ({
  id,
  org,
  name,
  without: JSON.stringify([...new Set(without)].sort()),
  state: 'active',
  created_at,
})

const withoutOf = ({ without }: DirectoryRow<'custom_role'>): Right[] =>
  z.array(Right).parse(JSON.parse(without))

const rolesIn = ({ read }: Asking, org: string) =>
  read.find('custom_role', { org, state: 'active' }, { orderBy: ['id'] })

async function roleOf({ read }: Asking, org: string, id: string): Promise<DirectoryRow<'custom_role'>> {
  return (await read.get('custom_role', { id, org, state: 'active' })) ?? notFound('role')
}

const bearersOf = ({ read }: Asking, org: string, custom: string) =>
  read.find('membership', { org, custom, state: ['active', 'suspended'] })
