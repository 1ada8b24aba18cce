import type { Grantee, PolicyFacts, Right } from '../../../contract/index.ts'
import type { DirectoryReader, DirectoryRow, ResourceKind } from '../../storage/index.ts'
import {
  customRoleFact,
  deviceFact,
  gatewayFact,
  grantFact,
  itemFact,
  keyFact,
  linkFact,
  memberFact,
  NO_FACTS,
  organisationOf,
  policyFact,
  profileRole,
  teamFact,
  workspaceFact,
} from './facts.ts'
import type { TokenScope } from './words.ts'
import { OWNER_ROLES } from './presets.ts'

/** What is to be done to: the organisation itself, one of its workspaces, or one thing. */
export interface Target {
  readonly org: string
  readonly workspace?: string | undefined
  readonly thing?: { readonly kind: ResourceKind; readonly resource: string } | undefined
}

/** Whom it is about besides, as far as facts are needed for it. */
export interface Concerned {
  readonly member?: string
  readonly to?: Grantee
  readonly grant?: string
}

export interface Asker {
  readonly user: string
  readonly org: string
  readonly scope: TokenScope
}

/** The facts of one question, and the rows that whoever asked goes on with. */
export interface Gathered {
  readonly facts: PolicyFacts
  readonly member: DirectoryRow<'membership'>
  readonly organisation: DirectoryRow<'organisation'>
  readonly link: DirectoryRow<'management_link'> | null
}

/** Rights whose answer depends on how many owners there are. */
export const COUNTS_OWNERS: ReadonlySet<Right> = new Set([
  'member.invite',
  'member.role',
  'member.remove',
  'self.leave',
])

/**
 * Everything that the answer to one question depends on, and little else; undefined where the asker is nobody or there
 * is no such organisation.
 */
export async function gather(
  read: DirectoryReader,
  { asker, right, target, concerned }: { asker: Asker; right: Right; target: Target; concerned: Concerned },
): Promise<Gathered | undefined> {
  const member = await read.membershipOf(asker.org, asker.user)
  const named = new Set([asker.org, target.org, ...(concerned.to === undefined ? [] : [concerned.to.org])])
  const organisations = await read.find('organisation', { id: [...named], state: ['active', 'suspended'] })
  const organisation = organisations.find(({ id }) => id === target.org)
  if (member === undefined || organisation === undefined) return undefined
  const links =
    asker.org === target.org
      ? []
      : await read.find('management_link', { org: target.org, partner: asker.org, state: 'active' })
  const members = [member, ...(await membersAbout(read, { right, target, concerned }))]
  const customs = distinct(members).flatMap(({ custom }) => custom ?? [])
  const facts = {
    ...NO_FACTS,
    organisations: organisations.map(organisationOf),
    members: distinct(members).flatMap(memberFact),
    keys: asker.scope === 'full' ? [] : [keyFact(member, asker.scope)],
    links: links.map(linkFact),
    roles: (await read.find('custom_role', { id: customs, state: 'active' })).map(customRoleFact),
    policies: await policiesAbout(read, target.org, [asker.org, ...(concerned.to ? [concerned.to.org] : [])]),
  }
  const things =
    target.workspace === undefined && target.thing === undefined
      ? {}
      : await thingFacts(read, { asker, target, concerned, member, organisation })
  const roles = [...facts.roles, ...(things.roles ?? [])]
  return { facts: { ...facts, ...things, roles }, member, organisation, link: links[0] ?? null }
}

async function membersAbout(
  read: DirectoryReader,
  { right, target, concerned: { member, to } }: { right: Right; target: Target; concerned: Concerned },
): Promise<DirectoryRow<'membership'>[]> {
  const found: DirectoryRow<'membership'>[] = []
  if (COUNTS_OWNERS.has(right))
    found.push(...(await read.find('membership', { org: target.org, role: OWNER_ROLES, state: 'active' })))
  if (member !== undefined) found.push(...(await read.find('membership', { org: target.org, user: member })))
  if (to?.kind === 'member') found.push(...(await read.find('membership', { org: to.org, user: to.name })))
  return found
}

async function policiesAbout(
  read: DirectoryReader,
  org: string,
  others: readonly string[],
): Promise<PolicyFacts['policies']> {
  const to_org = others.filter((other) => other !== org)
  const rows = await read.find('cross_org_policy', { org, to_org, state: 'active' })
  return rows.map(policyFact)
}

interface AboutThing {
  readonly asker: Asker
  readonly target: Target
  readonly concerned: Concerned
  readonly member: DirectoryRow<'membership'>
  readonly organisation: DirectoryRow<'organisation'>
}

/** The thing with all that holds it, and what of it is granted to those concerned. */
async function thingFacts(read: DirectoryReader, about: AboutThing): Promise<Partial<PolicyFacts>> {
  const { asker, target, concerned, member, organisation } = about
  const held = await holdersOf(read, target, member.incarnation)
  const mine = await read.find('team_member', { user: asker.user, org: asker.org })
  const named =
    concerned.to?.kind === 'team' ? { handle: concerned.to.team, org: concerned.to.org } : undefined
  const teams = [
    ...(await read.find('team', { id: mine.map(({ team }) => team), state: 'active' })),
    ...(named === undefined ? [] : await read.find('team', { ...named, state: 'active' })),
  ]
  const principals = [
    asker.user,
    asker.org,
    ...teams.map(({ id }) => id),
    ...(concerned.member ? [concerned.member] : []),
  ]
  const grants = await read.find('grant', {
    resource: held.chain,
    principal: principals,
    state: ['live', 'legacy'],
  })
  if (concerned.grant !== undefined) grants.push(...(await read.find('grant', { id: concerned.grant })))
  const handles = new Map(teams.map(({ id, handle }) => [id, handle]))
  const isProfile = organisation.preset === 'tagoio'
  const known = grants.filter(
    ({ principal_kind, principal }) => principal_kind !== 'team' || handles.has(principal),
  )
  return {
    ...held.facts,
    roles: isProfile ? [profileRole(organisation.id)] : [],
    teams: distinctTeams(teams).map((team) =>
      teamFact(
        team,
        mine.filter((line) => line.team === team.id),
      ),
    ),
    grants: distinctGrants(known).map((grant) => grantFact(grant, { handles, isProfile })),
  }
}

const distinct = (rows: readonly DirectoryRow<'membership'>[]) => [
  ...new Map(rows.map((row) => [`${row.org}:${row.user}`, row])).values(),
]
const distinctTeams = (rows: readonly DirectoryRow<'team'>[]) => [
  ...new Map(rows.map((row) => [row.id, row])).values(),
]
const distinctGrants = (rows: readonly DirectoryRow<'grant'>[]) => [
  ...new Map(rows.map((row) => [row.id, row])).values(),
]

/** The rows of the thing and its holders, and the paths on which a grant would reach it. */
async function holdersOf(
  read: DirectoryReader,
  { org, workspace, thing }: Target,
  incarnation: number,
): Promise<{ facts: Partial<PolicyFacts>; chain: string[] }> {
  if (workspace !== undefined) return workspaceHolders(read, workspace)
  switch (thing?.kind) {
    case undefined:
      return { facts: {}, chain: [] }
    case 'workspace':
      return workspaceHolders(read, thing.resource)
    case 'view':
    case 'alert': {
      const table = thing.kind === 'view' ? 'saved_view' : 'alert_rule'
      const row = await read.get(table, { id: thing.resource, org, state: 'active' })
      return {
        facts: { items: row === undefined ? [] : [itemFact(row, thing.kind)] },
        chain: [thing.resource],
      }
    }
    case 'gateway':
    case 'device':
    case 'sensor':
      return machineHolders(read, thing.resource, incarnation)
  }
}

async function workspaceHolders(read: DirectoryReader, id: string) {
  const row = await read.get('workspace', { id, state: 'active' })
  return { facts: { workspaces: row === undefined ? [] : [workspaceFact(row)] }, chain: [id] }
}

async function machineHolders(read: DirectoryReader, path: string, incarnation: number) {
  const [gatewayId = '', deviceName, sensor] = path.split('/')
  const devicePath = deviceName === undefined ? undefined : `${gatewayId}/${deviceName}`
  const gateway = await read.get('gateway', { id: gatewayId })
  const device =
    devicePath === undefined ? undefined : await read.get('device', { path: devicePath, state: 'active' })
  const ids = [gateway?.workspace, device?.workspace].filter((id) => typeof id === 'string')
  const workspaces = await read.find('workspace', { id: ids, state: 'active' })
  const holders = sensor === undefined ? [gatewayId, devicePath] : [gatewayId, devicePath, path]
  return {
    facts: {
      owner: gateway === undefined ? null : gatewayFact(gateway, incarnation),
      devices: device === undefined ? [] : [deviceFact(device, incarnation)],
      workspaces: workspaces.map(workspaceFact),
    },
    chain: [...holders.filter((holder) => holder !== undefined), ...ids],
  }
}
