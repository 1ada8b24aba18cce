import { PRESET_PACKS } from '../../../access/index.ts'
import type {
  ApiKey,
  CrossPolicy,
  CustomRole,
  Grant,
  Grantee,
  Member,
  Organisation,
  OwnedDevice,
  OwnedGateway,
  OwnedItem,
  PartnerLink,
  PolicyFacts,
  Resource,
  Shareable,
  Team,
  Workspace,
} from '../../../contract/index.ts'
import type { DirectoryRow, ResourceKind } from '../../storage/index.ts'

/** From rows to the words of the contract. Rows were checked when they were written, so nothing is parsed again. */

export const organisationOf = (row: DirectoryRow<'organisation'>): Organisation =>
  ({
    id: row.id,
    name: row.name,
    type: row.type,
    preset: row.preset,
    visibility: row.visibility,
    billing: row.billing,
    state: row.state,
  }) as Organisation

/** Who was removed is not there any more. */
export const memberFact = (row: DirectoryRow<'membership'>): Member[] =>
  row.state === 'removed'
    ? []
    : [
        {
          org: row.org,
          name: row.user,
          role: row.role,
          incarnation: row.incarnation,
          state: row.state,
          billing: row.billing === 1,
          custom: null,
        } as Member,
      ]

/** The key that somebody acts with, under the member's own name. */
export const keyFact = (member: DirectoryRow<'membership'>, scope: ApiKey['scope']): ApiKey =>
  ({
    org: member.org,
    name: member.user,
    member: member.user,
    incarnation: member.incarnation,
    scope,
    expiresAt: null,
    hash: '0'.repeat(64),
  }) as ApiKey

export const teamFact = (
  { org, handle, name }: DirectoryRow<'team'>,
  members: readonly DirectoryRow<'team_member'>[],
): Team =>
  ({
    org,
    handle,
    name,
    members: members.map(({ user, incarnation, role }) => ({ name: user, incarnation, role })),
  }) as Team

export const workspaceFact = ({ id, org, type, name }: DirectoryRow<'workspace'>): Workspace =>
  ({ id, org, type, name }) as Workspace

export const policyFact = (row: DirectoryRow<'cross_org_policy'>): CrossPolicy =>
  ({
    id: row.id,
    from: row.org,
    to: row.to_org,
    state: 'active',
    maxLevel: row.max_level,
    offlineTtl: row.offline_ttl_ms,
  }) as CrossPolicy

export const linkFact = (row: DirectoryRow<'management_link'>): PartnerLink =>
  ({
    id: row.id,
    partner: row.partner,
    customer: row.org,
    state: row.state,
    cap: row.cap,
    expiresAt: row.expires_at,
    offlineTtl: null,
  }) as PartnerLink

type Thing = Pick<DirectoryRow<'gateway'>, 'org' | 'workspace' | 'custodian' | 'owner_epoch'>

/** A custodian who leaves stops being one, so the name always means the present membership. */
const ownership = ({ org, workspace, custodian, owner_epoch }: Thing, incarnation: number) =>
  ({
    org,
    ownerEpoch: owner_epoch,
    custodian,
    custodianIncarnation: incarnation,
    workspace,
    state: 'active',
  }) as Omit<OwnedDevice, 'id'>

export const gatewayFact = (row: DirectoryRow<'gateway'>, incarnation: number): OwnedGateway => ({
  ...ownership(row, incarnation),
  claim: row.state === 'disputed' ? 'disputed' : row.state === 'released' ? 'unclaimed' : 'claimed',
})

export const deviceFact = (row: DirectoryRow<'device'>, incarnation: number): OwnedDevice =>
  ({ id: row.path.split('/')[1], ...ownership(row, incarnation) }) as OwnedDevice

/** A view or an alert. */
export const itemFact = (
  row: Pick<DirectoryRow<'saved_view'>, 'id' | 'org' | 'owner' | 'owner_incarnation'>,
  type: 'view' | 'alert',
): OwnedItem =>
  ({
    id: row.id,
    type,
    ...ownership(
      { org: row.org, workspace: null, custodian: row.owner, owner_epoch: 1 },
      row.owner_incarnation,
    ),
  }) as OwnedItem

/** A thing by its kind and path, as decisions name it. */
export function resourceFact(kind: ResourceKind, path: string): Shareable {
  const [, device, sensor] = path.split('/')
  switch (kind) {
    case 'workspace':
      return { kind, workspace: path } as Resource as Shareable
    case 'gateway':
      return { kind }
    case 'device':
      return { kind, device } as Shareable
    case 'sensor':
      return { kind, device, sensor } as Shareable
    case 'view':
    case 'alert':
      return { kind: 'item', item: path } as Shareable
  }
}

/** Members of a profile by tagoio's words: everything in it but quotas, billing, audit and inviting (S3.19). */
export const PROFILE_ROLE = 'team-member'
export function profileRole(org: string): CustomRole {
  const meaning = PRESET_PACKS.tagoio.roles['Team member']
  const without = meaning !== undefined && 'without' in meaning ? meaning.without : []
  return { id: PROFILE_ROLE, org, name: 'Team member', without } as CustomRole
}

export function grantFact(
  row: DirectoryRow<'grant'>,
  { handles, isProfile }: { handles: ReadonlyMap<string, string>; isProfile: boolean },
): Grant {
  return {
    id: row.id,
    on: resourceFact(row.resource_kind, row.resource),
    to: granteeFact(row, handles),
    level: row.level,
    ownerEpoch: row.owner_epoch,
    via: row.via,
    by: { org: row.granted_by_org, name: row.granted_by, incarnation: row.granted_by_incarnation },
    custom: isProfile && row.resource_kind === 'workspace' ? PROFILE_ROLE : null,
    expiresAt: row.expires_at,
    offlineTtl: null,
    legacy: row.state === 'legacy',
  } as Grant
}

function granteeFact(row: DirectoryRow<'grant'>, handles: ReadonlyMap<string, string>): Grantee {
  const { principal_kind: kind, principal_org: org, principal, incarnation } = row
  switch (kind) {
    case 'user':
      return { kind: 'member', org, name: principal, incarnation } as Grantee
    case 'team':
      return { kind: 'team', org, team: handles.get(principal) } as Grantee
    case 'org':
      return { kind: 'org', org } as Grantee
  }
}

export const NO_FACTS: PolicyFacts = {
  owner: null,
  organisations: [],
  members: [],
  keys: [],
  roles: [],
  teams: [],
  workspaces: [],
  devices: [],
  sensors: [],
  items: [],
  grants: [],
  policies: [],
  links: [],
}
