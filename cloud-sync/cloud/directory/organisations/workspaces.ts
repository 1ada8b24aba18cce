import { z } from 'zod'
import { Level } from '../../../contract/index.ts'
import type { DirectoryRow } from '../../storage/index.ts'
import { notFound, refuse } from '../errors.ts'
import { demand } from '../kernel/authority.ts'
import { assertWorkspacePeople } from '../kernel/presets.ts'
import { Description, Id, LogoUrl, OrgId, Quotas, Title, Username } from '../kernel/words.ts'
import { type Asking, command, orgChain, query, type Writing } from '../kernel/write.ts'
import { addWorkspace } from './founding.ts'
import { giveWorkspaceLevel } from './joining.ts'
import { memberOf } from './members.ts'

const InWorkspace = z.strictObject({ org: OrgId, workspace: Id })
const WORKSPACES_MAX = 1_000

/** A project, profile or water system; several may have one name (S3.10). A partner makes systems of customers (S4.5). */
export const create = command({
  name: 'workspace.create',
  input: z.strictObject({
    org: OrgId,
    name: Title,
    type: z.enum(['project', 'profile', 'system']).default('project'),
    quotas: Quotas.default({}),
  }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, name, type, quotas }) {
    const own = await demand(writing, 'ws.create', { org })
    const present = await workspacesOf(writing, org)
    if (present.length >= WORKSPACES_MAX)
      refuse('DIRECTORY_QUOTA_EXCEEDED', `${WORKSPACES_MAX} workspaces at most`)
    assertRoomFor(own.organisation, present, type)
    if (Object.keys(quotas).length > 0) {
      await demand(writing, 'quota.allocate', { org })
      assertAllocated(own.organisation, [...present.map((workspace) => parsed(workspace.quotas)), quotas])
    }
    const row = await addWorkspace(writing, { org, name, type, by: own.user, quotas: JSON.stringify(quotas) })
    return { workspace: row.id }
  },
})

/** Name, description and logo (S1.19, S3.8). */
export const update = command({
  name: 'workspace.update',
  input: InWorkspace.extend({
    name: Title.optional(),
    description: Description.optional(),
    logoUrl: LogoUrl.optional(),
  }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, workspace: id, name, description, logoUrl }) {
    await demand(writing, 'ws.update', { org, workspace: id })
    const row = await workspaceOf(writing, org, id)
    await writing.put('workspace', {
      ...row,
      name: name ?? row.name,
      description: description ?? row.description,
      logo_url: logoUrl ?? row.logo_url,
    })
    return { workspace: id }
  },
})

/** Nothing may live in it any more: its gateways and devices are moved first. */
export const remove = command({
  name: 'workspace.delete',
  input: InWorkspace,
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, workspace: id }) {
    await demand(writing, 'ws.delete', { org, workspace: id })
    const row = await workspaceOf(writing, org, id)
    const { read } = writing
    const lived =
      (await read.get('gateway', { workspace: id, org })) ??
      (await read.get('device', { workspace: id, org }))
    if (lived !== undefined) refuse('DIRECTORY_EXISTS', 'gateways or devices are still in the workspace')
    for (const grant of await read.find('grant', {
      org,
      resource_kind: 'workspace',
      resource: id,
      state: 'live',
    }))
      await writing.put('grant', { ...grant, state: 'revoked' })
    await writing.put('workspace', { ...row, state: 'deleted' })
    return { workspace: id }
  },
})

/** What the workspace may use by service; all together no more than the organisation (S3.8). */
export const allocate = command({
  name: 'workspace.allocate',
  input: InWorkspace.extend({ quotas: Quotas }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, workspace: id, quotas }) {
    const own = await demand(writing, 'quota.allocate', { org })
    const row = await workspaceOf(writing, org, id)
    const others = (await workspacesOf(writing, org)).filter((workspace) => workspace.id !== id)
    assertAllocated(own.organisation, [...others.map((workspace) => parsed(workspace.quotas)), quotas])
    await writing.put('workspace', { ...row, quotas: JSON.stringify(quotas) })
    return { workspace: id, quotas }
  },
})

/** Gives a member of the organisation a role in the workspace, or another one (S1.16, S1.18). */
export const setLevel = command({
  name: 'workspace.set-level',
  input: InWorkspace.extend({ user: Username, level: Level }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, workspace: id, user, level }) {
    const own = await demand(writing, 'member.role', { org, workspace: id }, { member: user, level })
    assertWorkspacePeople(own.organisation)
    const workspace = await workspaceOf(writing, org, id)
    const member = await memberOf(writing, org, user)
    await giveWorkspaceLevel(writing, { workspace, member, level, by: own })
    return { workspace: id, user, level }
  },
})

export const removeLevel = command({
  name: 'workspace.remove-level',
  input: InWorkspace.extend({ user: Username }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, workspace: id, user }) {
    await demand(writing, 'member.remove', { org, workspace: id }, { member: user })
    const grant = (await levelIn(writing, id, user)) ?? notFound('member of the workspace')
    await writing.put('grant', { ...grant, state: 'revoked' })
    return { workspace: id, user }
  },
})

/** Workspaces that the actor may see. */
export const list = query({
  input: z.strictObject({ org: OrgId }),
  async run(asking, { org }) {
    const own = await demand(asking, 'org.read', { org })
    const all = await workspacesOf(asking, org)
    // These two roles inherit nothing: they see what they were given a level in.
    const isNarrow = own.link === null && (own.role === 'member' || own.role === 'observer')
    const given = isNarrow ? await givenTo(asking, org, own.user) : undefined
    return all
      .filter(({ id }) => given?.has(id) ?? true)
      .map(({ id, name, type, description, logo_url, quotas }) => ({
        id,
        name,
        type,
        description,
        logoUrl: logo_url,
        quotas: parsed(quotas),
      }))
  },
})

/** Everybody of the workspace with the role in the organisation and the one here (S1.17). */
export const members = query({
  input: InWorkspace,
  async run(asking, { org, workspace: id }) {
    await demand(asking, 'member.list', { org, workspace: id })
    await workspaceOf(asking, org, id)
    const where = { resource_kind: 'workspace', resource: id, principal_kind: 'user', state: 'live' } as const
    const grants = await asking.read.find('grant', where, { orderBy: ['principal'] })
    const users = grants.map(({ principal }) => principal)
    const members = await asking.read.find('membership', { org, user: users })
    const roles = new Map(members.map(({ user, role }) => [user, role]))
    return grants.map(({ principal, level }) => ({
      user: principal,
      role: roles.get(principal) ?? null,
      level,
    }))
  },
})

/** Workspaces in which somebody has a level, by themselves or by a team. */
async function givenTo({ read }: Asking, org: string, user: string): Promise<Set<string>> {
  const teams = await read.find('team_member', { org, user })
  const grants = await read.find('grant', {
    org,
    resource_kind: 'workspace',
    principal: [user, org, ...teams.map(({ team }) => team)],
    state: 'live',
  })
  return new Set(grants.map(({ resource }) => resource))
}

export async function workspaceOf(
  { read }: Asking,
  org: string,
  id: string,
): Promise<DirectoryRow<'workspace'>> {
  return (await read.get('workspace', { id, org, state: 'active' })) ?? notFound('workspace')
}

export const workspacesOf = ({ read }: Asking, org: string) =>
  read.find('workspace', { org, state: 'active' }, { orderBy: ['id'] })

const levelIn = ({ read }: Writing, workspace: string, user: string) =>
  read.get('grant', {
    resource_kind: 'workspace',
    resource: workspace,
    principal_kind: 'user',
    principal: user,
    state: 'live',
  })

/** How many of a kind the plan of the organisation gives it (S3.7): its quota of that name, where there is one. */
function assertRoomFor(
  { quotas }: DirectoryRow<'organisation'>,
  present: readonly DirectoryRow<'workspace'>[],
  type: DirectoryRow<'workspace'>['type'],
): void {
  const max = parsed(quotas)[`${type}s`] ?? Infinity
  const count = present.filter((workspace) => workspace.type === type).length
  if (count >= max) refuse('DIRECTORY_QUOTA_EXCEEDED', `${max} ${type}s at most`)
}

/** A service that the organisation has no limit for is not limited. */
function assertAllocated({ quotas }: DirectoryRow<'organisation'>, shares: readonly Quotas[]): void {
  for (const [service, total] of Object.entries(parsed(quotas))) {
    const sum = shares.reduce((added, share) => added + (share[service] ?? 0), 0)
    if (sum > total) refuse('DIRECTORY_QUOTA_EXCEEDED', `${service}: ${sum} given out, ${total} there`)
  }
}

/** What a workspace, or an organisation, may use. */
export const quotasOf = ({ quotas }: { readonly quotas: string }): Quotas => parsed(quotas)

/** Throws DIRECTORY_QUOTA_EXCEEDED where one more workspace does not fit what the organisation has. */
export function assertRoomInPlan(
  organisation: DirectoryRow<'organisation'>,
  present: readonly DirectoryRow<'workspace'>[],
  added: DirectoryRow<'workspace'>,
): void {
  if (present.length >= WORKSPACES_MAX)
    refuse('DIRECTORY_QUOTA_EXCEEDED', `${WORKSPACES_MAX} workspaces at most`)
  assertRoomFor(organisation, present, added.type)
  assertAllocated(organisation, [...present, added].map(quotasOf))
}

const parsed = (quotas: string): Quotas => Quotas.parse(JSON.parse(quotas))
