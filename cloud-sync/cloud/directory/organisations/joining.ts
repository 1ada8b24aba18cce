import type { Level, Role } from '../../../contract/index.ts'
import type { DirectoryRow } from '../../storage/index.ts'
import { freeName } from '../accounts/token-names.ts'
import { refuse } from '../errors.ts'
import type { Standing } from '../kernel/authority.ts'
import { assertRoom, MAX } from '../kernel/limits.ts'
import type { Writing } from '../kernel/write.ts'
import { assertFree } from './founding.ts'

/**
 * Makes somebody a member: a new incarnation where they were one before, so that nothing old revives. The caller holds
 * the chains of the organisation and of the user. Throws DIRECTORY_EXISTS where they are one now.
 */
export async function join(
  writing: Writing,
  organisation: Pick<DirectoryRow<'organisation'>, 'id' | 'preset' | 'type'>,
  { user, role, billing }: { user: string; role: Role; billing: boolean },
): Promise<DirectoryRow<'membership'>> {
  const before = await writing.read.get('membership', { org: organisation.id, user })
  if (before?.state === 'active' || before?.state === 'suspended')
    refuse('DIRECTORY_EXISTS', `${user} is a member already`)
  await assertFree(writing, user, organisation)
  const count = await writing.read.count('membership', {
    org: organisation.id,
    state: ['active', 'suspended'],
  })
  assertRoom('members', { count, max: MAX.membersOfOrganisation })
  const row = {
    org: organisation.id,
    user,
    role,
    billing: billing ? 1 : 0,
    custom: null,
    incarnation: (before?.incarnation ?? 0) + 1,
    state: 'active' as const,
    since: writing.at,
  }
  await writing.put('membership', row)
  await freeName(writing, row)
  return row
}

/** Who gave something, for whom, as which member. */
export type Author = Pick<Standing, 'user' | 'actingOrg' | 'incarnation'>

/** A role in one workspace: a grant on it. Another level replaces the one before. */
export async function giveWorkspaceLevel(
  writing: Writing,
  {
    workspace,
    member: { user, incarnation, org },
    level,
    by,
  }: {
    workspace: Pick<DirectoryRow<'workspace'>, 'id' | 'org'>
    member: Pick<DirectoryRow<'membership'>, 'user' | 'incarnation' | 'org'>
    level: Level
    by: Author
  },
): Promise<string> {
  const { read, world, at } = writing
  const present = await read.get('grant', {
    resource_kind: 'workspace',
    resource: workspace.id,
    principal_kind: 'user',
    principal: user,
    state: 'live',
  })
  const id = present?.id ?? world.newId()
  await writing.put('grant', {
    id,
    org: workspace.org,
    resource_kind: 'workspace',
    resource: workspace.id,
    principal_kind: 'user',
    principal: user,
    principal_org: org,
    level,
    granted_by: by.user,
    granted_by_org: by.actingOrg,
    granted_by_incarnation: by.incarnation,
    incarnation,
    owner_epoch: 1,
    via: null,
    expires_at: null,
    state: 'live',
    brought_by: null,
    created_at: present?.created_at ?? at,
  })
  return id
}
