import { addUser } from '../accounts/users.ts'
import type { Change, DirectoryChange } from '../changes.ts'
import { notFound, refuse } from '../errors.ts'
import { isOwnerRole } from '../kernel/presets.ts'
import { orgChain, userChain, type Writing } from '../kernel/write.ts'
import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { foundOrganisation } from './founding.ts'
import { join } from './joining.ts'
import { endMembership } from './leaving.ts'

/** How long what is shared across organisations lives on at a gateway without news, ms. */
const OFFLINE_TTL_MS = 24 * 3_600_000

/** The user name behind an organisation's member: names of a configured directory are each organisation's own. */
export type NameOf = (org: string, name: string) => string

type Kind = DirectoryChange['kind']
type Applied = {
  readonly [K in Kind]: (writing: Writing, change: Change<K>, nameOf: NameOf) => Promise<void>
}

/** What each change of a configured directory does in the directory of organisations. */
const APPLIED: Applied = {
  async 'organisation.added'(writing, { id, name }) {
    const base = { description: '', logoUrl: '', preset: 'headgate', type: 'standard' } as const
    await foundOrganisation(writing, { ...base, id, name, owner: undefined })
  },
  async 'member.added'(writing, { org, name, role }, nameOf) {
    const organisation = await organisationOf(writing, org)
    const taken = await writing.read.get('token', { org, name, state: 'active' })
    if (taken !== undefined) refuse('DIRECTORY_EXISTS', `a key of ${org} is called ${name}`)
    const user = nameOf(org, name)
    if ((await writing.read.get('user', { id: user })) === undefined)
      await addUser(writing, { username: user, email: `${user}@seed.invalid`, name, tz: 'UTC' })
    // A configured directory has no billing add-on: who leads sees the usage.
    await join(writing, organisation, { user, role, billing: role !== 'member' })
  },
  async 'member.removed'(writing, { org, name }, nameOf) {
    const member = await memberOf(writing, org, nameOf(org, name))
    const owners = await writing.read.find('membership', { org, role: member.role, state: 'active' })
    if (isOwnerRole(member.role) && owners.length === 1)
      refuse('DIRECTORY_LAST_OWNER', `${org} would have no owner`)
    await endMembership(writing, member, 'removed')
  },
  async 'key.added'(writing, { org, name, member, hash }, nameOf) {
    const { user, incarnation } = await memberOf(writing, org, nameOf(org, member))
    const namesake = name === member ? undefined : await present(writing, org, nameOf(org, name))
    const taken = namesake ?? (await writing.read.get('token', { org, name, state: 'active' }))
    if (taken !== undefined) refuse('DIRECTORY_EXISTS', `the name ${name} is taken in ${org}`)
    if (await writing.read.get('token', { hash })) refuse('DIRECTORY_EXISTS', 'this key is there already')
    await writing.put('token', {
      id: writing.world.newId(),
      org,
      user,
      name,
      kind: name === user ? 'api-key' : 'token',
      scope: 'full',
      hash,
      incarnation,
      expires_at: null,
      state: 'active',
      created_at: writing.at,
    })
  },
  async 'key.removed'(writing, { org, name }) {
    const token = (await writing.read.get('token', { org, name, state: 'active' })) ?? notFound('key')
    await writing.put('token', { ...token, state: 'revoked' })
  },
  async 'gateway.registered'(writing, { id, org, publicKey }) {
    await organisationOf(writing, org)
    if (await writing.read.get('gateway', { id })) refuse('DIRECTORY_EXISTS', `${id} is registered already`)
    const placed = { workspace: null, custodian: null, owner_epoch: 1, state: 'claimed' } as const
    await writing.put('gateway', { id, org, ...placed, public_key: publicKey, created_at: writing.at })
  },
  async 'device.registered'(writing, { gateway, id, org, custodian, workspace }, nameOf) {
    await organisationOf(writing, org)
    if (!(await writing.read.get('gateway', { id: gateway }))) notFound('gateway')
    const path = `${gateway}/${id}`
    const before = await writing.read.get('device', { path })
    if (before?.state === 'active') refuse('DIRECTORY_EXISTS', `${path} is there already`)
    if (workspace !== null) await workspaceOf(writing, org, workspace)
    await writing.put('device', {
      path,
      gateway,
      org,
      workspace,
      custodian: custodian === null ? null : (await memberOf(writing, org, nameOf(org, custodian))).user,
      owner_epoch: (before?.owner_epoch ?? 0) + 1,
      name: id,
      diagnostic: 0,
      state: 'active',
      created_at: writing.at,
    })
  },
  async 'device.diagnostic'(writing, { gateway, id, diagnostic }) {
    const path = `${gateway}/${id}`
    const device = (await writing.read.get('device', { path, state: 'active' })) ?? notFound('device')
    await writing.put('device', { ...device, diagnostic: diagnostic ? 1 : 0 })
  },
  'share.added': addShare,
  async 'share.revoked'(writing, { id }) {
    const grant = (await writing.read.get('grant', { id, state: ['live', 'legacy'] })) ?? notFound('share')
    await writing.put('grant', { ...grant, state: 'revoked' })
  },
}

async function addShare(
  writing: Writing,
  { id, gateway, device: name, sensor, to, level }: Change<'share.added'>,
  nameOf: NameOf,
): Promise<void> {
  const { read, at } = writing
  const path = `${gateway}/${name}`
  const device = (await read.get('device', { path, state: 'active' })) ?? notFound('device')
  const { org } = device
  await organisationOf(writing, to.org)
  if (org === to.org && to.member === null)
    refuse('DIRECTORY_EXISTS', `${org} owns ${path} and sees it anyway`)
  if (!(await isFree(writing, org, id))) refuse('DIRECTORY_EXISTS', `there is a share ${id} already`)
  await writing.put('grant', {
    id,
    org,
    resource_kind: sensor === null ? 'device' : 'sensor',
    resource: sensor === null ? path : `${path}/${sensor}`,
    ...(await principalOf(writing, to, nameOf)),
    level,
    granted_by: 'operator',
    granted_by_org: org,
    granted_by_incarnation: 1,
    owner_epoch: device.owner_epoch,
    via: org === to.org ? null : await policyTo(writing, org, to.org),
    expires_at: null,
    state: 'live',
    brought_by: null,
    created_at: at,
  })
}

async function principalOf(
  writing: Writing,
  { org, member: name }: Change<'share.added'>['to'],
  nameOf: NameOf,
): Promise<Pick<DirectoryRow<'grant'>, 'principal_kind' | 'principal' | 'principal_org' | 'incarnation'>> {
  if (name === null) return { principal_kind: 'org', principal: org, principal_org: org, incarnation: 0 }
  const { user, incarnation } = await memberOf(writing, org, nameOf(org, name))
  return { principal_kind: 'user', principal: user, principal_org: org, incarnation }
}

/** A share that ended leaves its id to its organisation: shown again is a new fact under the same name. */
async function isFree({ read }: Writing, org: string, id: string): Promise<boolean> {
  const there = await read.get('grant', { id })
  return there === undefined || (there.state === 'revoked' && there.org === org)
}

/** Makes one change of a configured directory; the caller holds its chains. Throws what refuses it. */
export const applyChange = (writing: Writing, change: DirectoryChange, nameOf: NameOf): Promise<void> =>
  (APPLIED[change.kind] as (writing: Writing, change: DirectoryChange, nameOf: NameOf) => Promise<void>)(
    writing,
    change,
    nameOf,
  )

/** The chains of the log that changes write, devices being where the directory or an earlier change put them. */
export async function chainsOf(
  read: DirectoryReader,
  changes: readonly DirectoryChange[],
  nameOf: NameOf,
): Promise<string[]> {
  const chains = new Set<string>()
  for (const change of changes) {
    const org = await ownerOf(read, change)
    if (org !== undefined) chains.add(orgChain(org))
    if (change.kind === 'member.added') chains.add(userChain(nameOf(change.org, change.name)))
  }
  return [...chains]
}

const ownerOfDevice = async (
  read: DirectoryReader,
  gateway: string,
  device: string,
): Promise<string | undefined> => (await read.get('device', { path: `${gateway}/${device}` }))?.org

async function ownerOf(read: DirectoryReader, change: DirectoryChange): Promise<string | undefined> {
  switch (change.kind) {
    case 'organisation.added':
      return change.id
    case 'share.added':
      return ownerOfDevice(read, change.gateway, change.device)
    case 'device.diagnostic':
      return ownerOfDevice(read, change.gateway, change.id)
    case 'share.revoked':
      return (await read.get('grant', { id: change.id }))?.org
    case 'member.added':
    case 'member.removed':
    case 'key.added':
    case 'key.removed':
    case 'gateway.registered':
    case 'device.registered':
      return change.org
  }
}

/** The policy from one organisation to another: the one that is there, or a new one for viewing. */
async function policyTo(writing: Writing, org: string, to: string): Promise<string> {
  const there = await writing.read.get('cross_org_policy', { org, to_org: to, state: 'active' })
  if (there !== undefined) return there.id
  const id = writing.world.newId()
  await writing.put('cross_org_policy', {
    org,
    to_org: to,
    id,
    max_level: 'viewer',
    offline_ttl_ms: OFFLINE_TTL_MS,
    state: 'active',
    created_by: 'operator',
    created_at: writing.at,
  })
  return id
}

const organisationOf = async ({ read }: Writing, id: string): Promise<DirectoryRow<'organisation'>> =>
  (await read.get('organisation', { id, state: 'active' })) ?? notFound('organisation')

const present = ({ read }: Writing, org: string, user: string) =>
  read.get('membership', { org, user, state: ['active', 'suspended'] })

const memberOf = async (writing: Writing, org: string, user: string): Promise<DirectoryRow<'membership'>> =>
  (await present(writing, org, user)) ?? notFound('member')

/** A configured workspace is a name that devices share. */
async function workspaceOf(writing: Writing, org: string, id: string): Promise<void> {
  const there = await writing.read.get('workspace', { id })
  if (there?.org === org && there.state === 'active') return
  if (there !== undefined) refuse('DIRECTORY_EXISTS', `the workspace ${id} is another organisation's`)
  await writing.put('workspace', {
    id,
    org,
    type: 'project',
    name: id,
    description: '',
    logo_url: '',
    quotas: '{}',
    state: 'active',
    created_by: 'operator',
    created_at: writing.at,
  })
}
