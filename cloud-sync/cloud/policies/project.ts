import type { ChangesHeard, GatewayId, PolicyFacts, QuotaShare } from '../../contract/index.ts'
import {
  customRoleFact,
  deviceFact,
  gatewayFact,
  grantFact,
  heardFact,
  itemFact,
  linkFact,
  memberFact,
  organisationOf,
  PROFILE_ROLE,
  policyFact,
  profileRole,
  shareFact,
  teamFact,
  tokenFact,
  workspaceFact,
} from '../directory/index.ts'
import type { DirectoryReader, DirectoryRow } from '../storage/index.ts'
import { type Blocks, blocksAt } from './blocks.ts'
import { gatewayThings, type Things } from './things.ts'

type Grant = DirectoryRow<'grant'>
type Member = DirectoryRow<'membership'>

/** What one gateway must know, without a version and a time. */
export type PolicyContent = PolicyFacts & {
  readonly owner: NonNullable<PolicyFacts['owner']>
  readonly heard: ChangesHeard | null
  readonly quotas: QuotaShare[]
}

/**
 * The least that one gateway must know to decide alone: the organisations that own it or something on it with their
 * people, those that are shown something here with the people who are, partners that manage one of the owners, and by
 * what each of them comes here. People are their user names and nothing else of them. Sorted, so that an equal directory
 * gives equal text. Undefined where there is no such gateway.
 */
export async function projectGateway(
  read: DirectoryReader,
  id: GatewayId,
  /** Rows as they will be after the cut of a transfer, in place of those that are. */
  pending?: {
    readonly gateway: DirectoryRow<'gateway'>
    readonly devices: readonly DirectoryRow<'device'>[]
  },
): Promise<PolicyContent | undefined> {
  const gateway = pending?.gateway ?? (await read.get('gateway', { id }))
  if (gateway === undefined) return undefined
  const things = await gatewayThings(read, gateway, pending?.devices)
  const links = await read.find('management_link', { org: things.owners, state: 'active' })
  const workspaceIds = things.workspaces.map((workspace) => workspace.id)
  const granted = [...(await read.grantsReaching(id, workspaceIds)), ...things.itemGrants]
  const own = granted.filter((grant) => things.owners.includes(grant.org) && isOfWhatIsHere(grant, things))
  const policies = await read.find('cross_org_policy', {
    org: things.owners,
    to_org: [...new Set(own.map((grant) => grant.principal_org))],
    state: 'active',
  })
  const blocks = await blocksAt(read, gateway)
  const live = own.filter((grant) => isCarried(grant, policies) && !blocks.isShareEnded(grant.id))
  const people = await peopleOf(read, { things, links, blocks, grants: live })
  const facts = factsOf({ gateway, things, links, policies, people })
  const heard = await read.get('gateway_heard', { gateway: id })
  const quotas = await sharesOf(read, id, things)
  return inOrder({ heard: heard === undefined ? null : heardFact(heard), quotas, ...facts })
}

/** Shares of the workspaces that are here; of one that is gone the row is only not taken away yet. */
async function sharesOf(
  read: DirectoryReader,
  gateway: string,
  { workspaces }: Things,
): Promise<QuotaShare[]> {
  const workspace = workspaces.map(({ id }) => id)
  const rows = await read.find('quota_share', { gateway, workspace }, { orderBy: ['workspace', 'meter'] })
  return rows.map(shareFact)
}

/** What crosses organisations does so by a policy that is there now; what was kept by who left needs none. */
const isCarried = ({ via, state }: Grant, policies: readonly DirectoryRow<'cross_org_policy'>[]): boolean =>
  via === null || state === 'legacy' || policies.some((policy) => policy.id === via)

/** What was shown of a device that was removed since is shown to nobody. */
function isOfWhatIsHere({ resource_kind: kind, resource }: Grant, { devices }: Things): boolean {
  if (kind !== 'device' && kind !== 'sensor') return true
  return devices.some(({ path }) => resource === path || resource.startsWith(`${path}/`))
}

interface People {
  readonly organisations: readonly DirectoryRow<'organisation'>[]
  readonly members: readonly Member[]
  readonly tokens: readonly DirectoryRow<'token'>[]
  readonly teams: readonly { row: DirectoryRow<'team'>; members: DirectoryRow<'team_member'>[] }[]
  readonly roles: readonly DirectoryRow<'custom_role'>[]
  /** Those that still mean somebody. */
  readonly grants: readonly Grant[]
}

interface Reached {
  readonly things: Things
  readonly links: readonly DirectoryRow<'management_link'>[]
  readonly grants: readonly Grant[]
  readonly blocks: Blocks
}

async function peopleOf(read: DirectoryReader, { things, links, grants, blocks }: Reached): Promise<People> {
  const whole = new Set([...things.owners, ...links.map(({ partner }) => partner)])
  for (const grant of grants) if (grant.principal_kind === 'org') whole.add(grant.principal_org)
  const orgs = [...new Set([...whole, ...grants.map((grant) => grant.principal_org)])]
  const organisations = await read.find('organisation', { id: orgs, state: ['active', 'suspended'] })
  const teams = await teamsIn(read, grants)
  const single = new Set([
    ...grants.flatMap(({ principal_kind: kind, principal, principal_org: org }) =>
      kind === 'user' ? [login(org, principal)] : [],
    ),
    ...teams.flatMap((team) => team.members.map(({ org, user }) => login(org, user))),
  ])
  const members = blocks.left(await membersAmong(read, { orgs, whole, single, grants }))
  const incarnations = new Map(members.map((member) => [login(member.org, member.user), member.incarnation]))
  const isPresent = (org: string, user: string, incarnation: number): boolean =>
    incarnations.get(login(org, user)) === incarnation
  const tokens = await read.find('token', { org: orgs, state: 'active' })
  const customs = new Set(members.flatMap(({ custom }) => custom ?? []))
  return {
    organisations,
    members,
    roles: await read.find('custom_role', { id: [...customs], state: 'active' }),
    tokens: tokens.filter(
      ({ id, org, user, incarnation }) => isPresent(org, user, incarnation) && !blocks.isTokenEnded(id),
    ),
    teams: teams.map(({ row, members: lines }) => ({
      row,
      members: lines.filter(({ org, user, incarnation }) => isPresent(org, user, incarnation)),
    })),
    grants: grants.filter((grant) => meansSomebody(grant, { isPresent, teams })),
  }
}

async function teamsIn(read: DirectoryReader, grants: readonly Grant[]): Promise<People['teams']> {
  const ids = grants.flatMap((grant) => (grant.principal_kind === 'team' ? [grant.principal] : []))
  const rows = await read.find('team', { id: [...new Set(ids)], state: 'active' })
  const lines = await read.find('team_member', { team: rows.map((row) => row.id) })
  return rows.map((row) => ({ row, members: lines.filter(({ team }) => team === row.id) }))
}

/** Everybody of the organisations that belong here as a whole, and of the others who is meant; only living accounts. */
async function membersAmong(
  read: DirectoryReader,
  {
    orgs,
    whole,
    single,
    grants,
  }: {
    orgs: readonly string[]
    whole: ReadonlySet<string>
    single: ReadonlySet<string>
    grants: readonly Grant[]
  },
): Promise<Member[]> {
  const found = await read.find('membership', { org: orgs, state: ['active', 'suspended', 'left'] })
  const kept = new Set(
    grants.flatMap((grant) =>
      grant.state === 'legacy' ? [login(grant.principal_org, grant.principal)] : [],
    ),
  )
  const needed = found.filter(({ org, user, state }) =>
    // Who left is here only for what they were left with.
    state === 'left' ? kept.has(login(org, user)) : whole.has(org) || single.has(login(org, user)),
  )
  const users = await read.find('user', { id: [...new Set(needed.map(({ user }) => user))], state: 'active' })
  const living = new Set(users.map((user) => user.id))
  return needed.filter(({ user }) => living.has(user))
}

function meansSomebody(
  { principal_kind: kind, principal, principal_org: org, incarnation }: Grant,
  known: { isPresent: (org: string, user: string, incarnation: number) => boolean; teams: People['teams'] },
): boolean {
  switch (kind) {
    case 'user':
      return known.isPresent(org, principal, incarnation)
    case 'team':
      return known.teams.some(({ row }) => row.id === principal)
    case 'org':
      return true
  }
}

function factsOf({
  gateway,
  things,
  links,
  policies,
  people,
}: {
  gateway: DirectoryRow<'gateway'>
  things: Things
  links: readonly DirectoryRow<'management_link'>[]
  policies: readonly DirectoryRow<'cross_org_policy'>[]
  people: People
}): Omit<PolicyContent, 'heard' | 'quotas'> {
  const incarnations = new Map(
    people.members.map(({ org, user, incarnation }) => [login(org, user), incarnation]),
  )
  const custodianOf = ({ org, custodian }: { org: string; custodian: string | null }): number =>
    incarnations.get(login(org, custodian ?? '')) ?? 1
  const handles = new Map(people.teams.map(({ row }) => [row.id, row.handle]))
  const profiles = new Set(
    people.organisations.flatMap(({ id, preset }) => (preset === 'tagoio' ? [id] : [])),
  )
  const grants = people.grants.map((grant) =>
    grantFact(grant, { handles, isProfile: profiles.has(grant.org) }),
  )
  const inUse = new Set(people.grants.map(({ via }) => via))
  return {
    owner: gatewayFact(gateway, custodianOf(gateway)),
    organisations: people.organisations.map(organisationOf).sort(by(({ id }) => id)),
    members: people.members.flatMap(memberFact),
    keys: people.tokens.map(tokenFact),
    roles: [
      ...people.roles.map(customRoleFact),
      ...(grants.some(({ custom }) => custom === PROFILE_ROLE)
        ? [...profiles].filter((org) => things.owners.includes(org)).map(profileRole)
        : []),
    ].sort(by(({ org, id }) => `${org} ${id}`)),
    teams: people.teams
      .map(({ row, members }) => teamFact(row, members))
      .sort(by(({ org, handle }) => login(org, handle))),
    workspaces: things.workspaces.map(workspaceFact).sort(by(({ id }) => id)),
    devices: things.devices.map((device) => deviceFact(device, custodianOf(device))).sort(by(({ id }) => id)),
    sensors: [],
    items: things.items.map(({ row, type }) => itemFact(row, type)).sort(by(({ id }) => id)),
    grants: grants.sort(by(({ id }) => id)),
    policies: policies
      .filter(({ id }) => inUse.has(id))
      .map(policyFact)
      .sort(by(({ id }) => id)),
    links: links.map(linkFact).sort(by(({ id }) => id)),
  }
}

/** People in the order of what they are called here. */
export const inOrder = (content: PolicyContent): PolicyContent => ({
  ...content,
  members: content.members.toSorted(by(({ org, name }) => login(org, name))),
  keys: content.keys.toSorted(by(({ org, name, hash }) => `${login(org, name)} ${hash}`)),
  teams: content.teams.map((team) => ({ ...team, members: team.members.toSorted(by(({ name }) => name)) })),
})

const login = (org: string, name: string): string => `${org}:${name}`

/** By code unit, so that it does not depend on the machine's language. */
function by<T>(name: (item: T) => string): (a: T, b: T) => number {
  return (a, b) => (name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : 0)
}
