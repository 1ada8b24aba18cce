import type { z } from 'zod'
import { PRESET_PACKS } from '../../../access/index.ts'
import type {
  ApiKey,
  ChangesHeard,
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
  QuotaShare,
  Right,
  Shareable,
  Team,
  Workspace,
  ZoneFrom,
} from '../../../contract/index.ts'
import type { DirectoryRow, ResourceKind } from '../../storage/index.ts'

/** A fact whose ids need not be branded: the rows were checked when they were written, so nothing is parsed again. */
type Plain<T> =
  T extends z.core.$brand<string> ? string : T extends object ? { [K in keyof T]: Plain<T[K]> } : T
const fact = <T>(plain: Plain<T>): T => plain as T

export const organisationOf = (row: DirectoryRow<'organisation'>): Organisation =>
  fact<Organisation>({
    id: row.id,
    name: row.name,
    type: row.type,
    preset: row.preset,
    visibility: row.visibility,
    billing: row.billing,
    ...zonesOf(row),
    state: row.state === 'active' ? 'active' : 'suspended',
  })

/** None = UTC, and then not a word in the policy. */
function zonesOf({ billing_zones: text }: DirectoryRow<'organisation'>): { zones?: ZoneFrom[] } {
  const zones = JSON.parse(text) as ZoneFrom[]
  return zones.length === 0 ? {} : { zones }
}

/** Who was removed is not there any more. */
export const memberFact = (row: DirectoryRow<'membership'>): Member[] =>
  row.state === 'removed'
    ? []
    : [
        fact<Member>({
          org: row.org,
          name: row.user,
          role: row.role,
          incarnation: row.incarnation,
          state: row.state,
          billing: row.billing === 1,
          custom: row.custom,
        }),
      ]

export const customRoleFact = ({ id, org, name, without }: DirectoryRow<'custom_role'>): CustomRole =>
  fact<CustomRole>({ id, org, name, without: JSON.parse(without) as Right[] })

/** The key that somebody acts with, under the member's own name. */
export const keyFact = (member: DirectoryRow<'membership'>, scope: ApiKey['scope']): ApiKey =>
  fact<ApiKey>({
    org: member.org,
    name: member.user,
    member: member.user,
    incarnation: member.incarnation,
    scope,
    expiresAt: null,
    hash: '0'.repeat(64),
  })

/** A key or token as a gateway compares it. */
export const tokenFact = (row: DirectoryRow<'token'>): ApiKey =>
  fact<ApiKey>({
    org: row.org,
    name: row.name,
    member: row.user,
    incarnation: row.incarnation,
    scope: row.scope,
    expiresAt: row.expires_at,
    hash: row.hash,
  })

export const teamFact = (
  { org, handle, name }: DirectoryRow<'team'>,
  members: readonly DirectoryRow<'team_member'>[],
): Team =>
  fact<Team>({
    org,
    handle,
    name,
    members: members.map(({ user, incarnation, role }) => ({ name: user, incarnation, role })),
  })

export const workspaceFact = ({ id, org, type, name }: DirectoryRow<'workspace'>): Workspace =>
  fact<Workspace>({ id, org, type, name, ownerEpoch: 1 })

export const policyFact = (row: DirectoryRow<'cross_org_policy'>): CrossPolicy =>
  fact<CrossPolicy>({
    id: row.id,
    from: row.org,
    to: row.to_org,
    state: 'active',
    maxLevel: row.max_level,
    offlineTtl: row.offline_ttl_ms,
  })

export const heardFact = ({ replica, up_to }: DirectoryRow<'gateway_heard'>): ChangesHeard =>
  fact<ChangesHeard>({ replica, upTo: up_to })

export const shareFact = ({ workspace, meter, amount }: DirectoryRow<'quota_share'>): QuotaShare =>
  fact<QuotaShare>({ workspace, meter: meter as QuotaShare['meter'], period: 'month', limit: amount })

export const linkFact = (row: DirectoryRow<'management_link'>): PartnerLink =>
  fact<PartnerLink>({
    id: row.id,
    partner: row.partner,
    customer: row.org,
    state: row.state,
    cap: row.cap,
    expiresAt: row.expires_at,
    offlineTtl: null,
  })

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
  claim: row.state,
})

export const deviceFact = (row: DirectoryRow<'device'>, incarnation: number): OwnedDevice =>
  fact<OwnedDevice>({
    id: row.path.split('/')[1] ?? '',
    ...ownership(row, incarnation),
    ...(row.diagnostic === 1 && { diagnostic: true }),
  })

/** A view or an alert. */
export const itemFact = (
  row: Pick<DirectoryRow<'saved_view'>, 'id' | 'org' | 'owner' | 'owner_org' | 'owner_incarnation'>,
  type: 'view' | 'alert',
): OwnedItem =>
  fact<OwnedItem>({
    id: row.id,
    type,
    ...ownership(
      {
        org: row.org,
        workspace: null,
        // Who made it for another organisation owns it no longer than they may work here.
        custodian: row.owner_org === row.org ? row.owner : null,
        owner_epoch: 1,
      },
      row.owner_incarnation,
    ),
  })

/** A thing by its kind and path, as decisions name it. */
export function resourceFact(kind: ResourceKind, path: string): Shareable {
  const [, device = '', sensor = ''] = path.split('/')
  switch (kind) {
    case 'workspace':
      return fact<Shareable>({ kind, workspace: path })
    case 'gateway':
      return { kind }
    case 'device':
      return fact<Shareable>({ kind, device })
    case 'sensor':
      return fact<Shareable>({ kind, device, sensor })
    case 'view':
    case 'alert':
      return fact<Shareable>({ kind: 'item', item: path })
  }
}

/**
 * What a share is of. Where its path has not as many parts as its kind says, it is of nothing: no contract takes it and no
 * decision finds it.
 */
function sharedThing(kind: ResourceKind, path: string): Shareable {
  const parts = path.split('/').length
  const isWhole = { gateway: 1, device: 2, sensor: 3, workspace: 1, view: 1, alert: 1 }[kind] === parts
  return isWhole ? resourceFact(kind, path) : fact<Shareable>({ kind: 'device', device: '' })
}

/** Members of a profile by tagoio's words: everything in it but quotas, billing, audit and inviting (S3.19). */
export const PROFILE_ROLE = 'team-member'
export function profileRole(org: string): CustomRole {
  const meaning = PRESET_PACKS.tagoio.roles['Team member']
  const without = meaning !== undefined && 'without' in meaning ? meaning.without : []
  return fact<CustomRole>({ id: PROFILE_ROLE, org, name: 'Team member', without: [...without] })
}

export function grantFact(
  row: DirectoryRow<'grant'>,
  { handles, isProfile }: { handles: ReadonlyMap<string, string>; isProfile: boolean },
): Grant {
  return fact<Grant>({
    id: row.id,
    on: sharedThing(row.resource_kind, row.resource),
    to: granteeFact(row, handles),
    level: row.level,
    ownerEpoch: row.owner_epoch,
    via: row.via,
    by: { org: row.granted_by_org, name: row.granted_by, incarnation: row.granted_by_incarnation },
    custom: isProfile && row.resource_kind === 'workspace' ? PROFILE_ROLE : null,
    expiresAt: row.expires_at,
    offlineTtl: null,
    legacy: row.state === 'legacy',
  })
}

function granteeFact(row: DirectoryRow<'grant'>, handles: ReadonlyMap<string, string>): Grantee {
  const { principal_kind: kind, principal_org: org, principal, incarnation } = row
  switch (kind) {
    case 'user':
      return fact<Grantee>({ kind: 'member', org, name: principal, incarnation })
    case 'team':
      return fact<Grantee>({ kind: 'team', org, team: handles.get(principal) ?? '' })
    case 'org':
      return fact<Grantee>({ kind: 'org', org })
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
