import { z } from 'zod'
import { TeamHandle } from '../../../contract/index.ts'
import type { DirectoryRow } from '../../storage/index.ts'
import { notFound, refuse } from '../errors.ts'
import { demand, may } from '../kernel/authority.ts'
import { assertRoom, MAX } from '../kernel/limits.ts'
import { Id, OrgId, Title, Username } from '../kernel/words.ts'
import { type Asking, command, orgChain, query, type Writing } from '../kernel/write.ts'
import { assertHasAll, givenTo } from './having.ts'
import { memberOf } from './members.ts'

const InTeam = z.strictObject({ org: OrgId, team: Id })

/** A team has a name and a handle that alerts and jobs are tagged with (S2.16). */
export const create = command({
  name: 'team.create',
  input: z.strictObject({ org: OrgId, handle: TeamHandle, name: Title }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, handle, name }) {
    await demand(writing, 'team.manage', { org })
    await assertFree(writing, org, handle)
    const count = await writing.read.count('team', { org, state: 'active' })
    assertRoom('teams', { count, max: MAX.teamsOfOrganisation })
    const id = writing.world.newId()
    await writing.put('team', { id, org, handle, name, state: 'active', created_at: writing.at })
    return { team: id }
  },
})

/** A renamed team is the same team: what is shared with it and tagged with it stays. */
export const update = command({
  name: 'team.update',
  input: InTeam.extend({ handle: TeamHandle.optional(), name: Title.optional() }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, team: id, handle, name }) {
    await demand(writing, 'team.manage', { org })
    const team = await teamOf(writing, org, id)
    if (handle !== undefined && handle !== team.handle) await assertFree(writing, org, handle)
    await writing.put('team', { ...team, handle: handle ?? team.handle, name: name ?? team.name })
    return { team: id }
  },
})

/** What was shared with the team ends with it; a later team of the same handle gets none of it. */
export const remove = command({
  name: 'team.delete',
  input: InTeam,
  chains: async ({ org, team }, _actor, read) => {
    const grants = await read.find('grant', { principal_kind: 'team', principal: team, state: 'live' })
    return [org, ...grants.map((grant) => grant.org)].map(orgChain)
  },
  async run(writing, { org, team: id }) {
    await demand(writing, 'team.manage', { org })
    const { read } = writing
    const team = await teamOf(writing, org, id)
    for (const member of await read.find('team_member', { team: id }))
      await writing.drop('team_member', member)
    for (const grant of await read.find('grant', { principal_kind: 'team', principal: id, state: 'live' }))
      await writing.put('grant', { ...grant, state: 'revoked' })
    await writing.put('team', { ...team, state: 'deleted' })
    return { team: id }
  },
})

/** Adds a member of the organisation, or changes what they are in the team (S2.17). */
export const setMember = command({
  name: 'team.set-member',
  input: InTeam.extend({ user: Username, role: z.enum(['lead', 'member']).default('member') }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, team, user, role }) {
    await demand(writing, 'team.manage', { org })
    await teamOf(writing, org, team)
    await assertHasWhatTeamHas(writing, org, team)
    const { incarnation } = await memberOf(writing, org, user)
    if ((await writing.read.get('team_member', { team, user })) === undefined) {
      const count = await writing.read.count('team_member', { team })
      assertRoom('people in one team', { count, max: MAX.peopleOfTeam })
    }
    await writing.put('team_member', { team, user, org, role, incarnation })
    return { team, user, role }
  },
})

export const removeMember = command({
  name: 'team.remove-member',
  input: InTeam.extend({ user: Username }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, team, user }) {
    await demand(writing, 'team.manage', { org })
    const member =
      (await writing.read.get('team_member', { team, user, org })) ?? notFound('member of the team')
    await writing.drop('team_member', member)
    return { team, user }
  },
})

/** Teams by handle, with their people: who may not list others sees themselves among them. */
export const list = query({
  input: z.strictObject({ org: OrgId, handle: TeamHandle.optional() }),
  async run(asking, { org, handle }) {
    const own = await demand(asking, 'org.read', { org })
    const all = await may(asking, 'member.list', { org })
    const where = { org, state: 'active' as const, ...(handle === undefined ? {} : { handle }) }
    const teams = await asking.read.find('team', where, { orderBy: ['handle'] })
    const people = await asking.read.find(
      'team_member',
      { team: teams.map(({ id }) => id), ...(all ? {} : { user: own.user }) },
      { orderBy: ['user'] },
    )
    return teams.map((team) => ({
      id: team.id,
      handle: team.handle,
      name: team.name,
      members: people.filter((member) => member.team === team.id).map(({ user, role }) => ({ user, role })),
    }))
  },
})

/**
 * Who joins has what the organisation gave the team: the actor must have it too. What other organisations gave the team
 * is for its people, whoever they are.
 */
async function assertHasWhatTeamHas(writing: Writing, org: string, team: string): Promise<void> {
  const given = await givenTo(writing.read, { org, principal_kind: 'team', principal: team })
  await assertHasAll(writing, given, { whose: 'the team' })
}

async function teamOf({ read }: Asking, org: string, id: string): Promise<DirectoryRow<'team'>> {
  return (await read.get('team', { id, org, state: 'active' })) ?? notFound('team')
}

async function assertFree({ read }: Asking, org: string, handle: string): Promise<void> {
  if (await read.get('team', { org, handle, state: 'active' }))
    refuse('DIRECTORY_EXISTS', `there is a team ${handle} already`)
}
