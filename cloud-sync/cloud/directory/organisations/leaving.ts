import type { DirectoryRow } from '../../storage/index.ts'
import type { Writing } from '../kernel/write.ts'

/**
 * Ends a membership. Who leaves keeps what was shared with them and what they are custodian of, as legacy grants that an
 * administrator can end (S0.9); who is removed keeps nothing. Keys, claim tickets, team memberships and workspace roles end in both
 * cases, and no later membership revives them: it has another incarnation.
 */
export async function endMembership(
  writing: Writing,
  member: DirectoryRow<'membership'>,
  how: 'left' | 'removed',
): Promise<void> {
  const { read } = writing
  const { org, user } = member
  await writing.put('membership', { ...member, state: how })
  for (const token of await read.find('token', { org, user, state: 'active' }))
    await writing.put('token', { ...token, state: 'revoked' })
  for (const team of await read.find('team_member', { org, user })) await writing.drop('team_member', team)
  const grants = await read.find('grant', {
    org,
    principal_kind: 'user',
    principal: user,
    state: ['live', 'legacy'],
  })
  for (const grant of grants) await writing.put('grant', { ...grant, state: afterwards(grant, org, how) })
  for (const ticket of await read.find('claim_ticket', { org, installer: user, state: 'live' }))
    await writing.put('claim_ticket', { ...ticket, state: 'revoked', revoked_at: writing.at })
  await endCustody(writing, member, how)
}

/** Only what was shared inside the organisation becomes legacy; a workspace role is a role, not a share. */
function afterwards(
  { principal_org, resource_kind, state }: DirectoryRow<'grant'>,
  org: string,
  how: 'left' | 'removed',
): DirectoryRow<'grant'>['state'] {
  if (how === 'removed' && principal_org === org) return 'revoked'
  if (principal_org !== org) return state
  return resource_kind === 'workspace' ? 'revoked' : 'legacy'
}

async function endCustody(
  writing: Writing,
  { org, user, incarnation }: DirectoryRow<'membership'>,
  how: 'left' | 'removed',
): Promise<void> {
  const { read, world, at } = writing
  const gateways = await read.find('gateway', { org, custodian: user })
  const devices = await read.find('device', { org, custodian: user, state: 'active' })
  for (const gateway of gateways) await writing.put('gateway', { ...gateway, custodian: null })
  for (const device of devices) await writing.put('device', { ...device, custodian: null })
  if (how === 'removed') return
  const kept = [
    ...gateways.map(
      ({ id, owner_epoch }) => ({ resource_kind: 'gateway', resource: id, owner_epoch }) as const,
    ),
    ...devices.map(
      ({ path, owner_epoch }) => ({ resource_kind: 'device', resource: path, owner_epoch }) as const,
    ),
  ]
  for (const thing of kept) {
    await writing.put('grant', {
      id: world.newId(),
      org,
      ...thing,
      principal_kind: 'user',
      principal: user,
      principal_org: org,
      level: 'viewer',
      granted_by: user,
      granted_by_org: org,
      granted_by_incarnation: incarnation,
      incarnation,
      via: null,
      expires_at: null,
      state: 'legacy',
      brought_by: null,
      created_at: at,
    })
  }
}
