import { z } from 'zod'
import { DeviceId, MemberName, OrgId, plainId, SensorName, WorkspaceId } from './ids.ts'
import { Incarnation, RoleId, TeamHandle } from './organisation.ts'
import { Level, Role } from './rights.ts'

export const GrantId = plainId.brand<'GrantId'>()
export type GrantId = z.infer<typeof GrantId>
/** A new one each time a policy is made: what was granted under a deleted one does not wake (edge case 5). */
export const CrossPolicyId = plainId.brand<'CrossPolicyId'>()
export type CrossPolicyId = z.infer<typeof CrossPolicyId>
export const LinkId = plainId.brand<'LinkId'>()
export type LinkId = z.infer<typeof LinkId>
export const ItemId = plainId.brand<'ItemId'>()
export type ItemId = z.infer<typeof ItemId>

/** Milliseconds of policy time after `issuedAt`. */
const Ttl = z.int().min(0)
/** Policy time, epoch ms. */
const PolicyInstant = z.int().min(0)

/** Whose a thing is. The owner is always an organisation; the custodian is the person who owns it there (S0.32). */
const ownership = {
  org: OrgId,
  /** One more with each change of owner; grants of an older one have no effect. */
  ownerEpoch: z.int().min(1),
  custodian: MemberName.nullable().default(null),
  /** Of the custodian's membership. */
  custodianIncarnation: Incarnation.default(1),
  workspace: WorkspaceId.nullable().default(null),
  /** `frozen`: a transfer is being settled. */
  state: z.enum(['active', 'frozen', 'decommissioned']).default('active'),
}
export const Ownership = z.strictObject(ownership)
export type Ownership = z.infer<typeof Ownership>

export const OwnedDevice = z.strictObject({
  id: DeviceId,
  ...ownership,
  /** The platform approves that it tells of the gateway itself: metered, and billed to nobody. */
  diagnostic: z.boolean().optional(),
})
export type OwnedDevice = z.infer<typeof OwnedDevice>

/** A sensor that is not its device's owner's, workspace's or custodian's; all others follow their device. */
export const OwnedSensor = z.strictObject({ device: DeviceId, sensor: SensorName, ...ownership })
export type OwnedSensor = z.infer<typeof OwnedSensor>

export const CLAIM_STATES = [
  'unclaimed',
  'provisional',
  'claimed',
  'releasing',
  'disputed',
  'decommissioned',
] as const
export const OwnedGateway = z.strictObject({ ...ownership, claim: z.enum(CLAIM_STATES).default('claimed') })
export type OwnedGateway = z.infer<typeof OwnedGateway>

/** A saved view, an alert or a report: shown, edited and shared like a device, but it never shows data by itself. */
export const OwnedItem = z.strictObject({
  id: ItemId,
  type: z.enum(['view', 'alert', 'report']),
  ...ownership,
})
export type OwnedItem = z.infer<typeof OwnedItem>

/** What a right can be asked on. A gateway's policy is about that one gateway. */
export const Resource = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('org'), org: OrgId }),
  z.strictObject({ kind: z.literal('workspace'), workspace: WorkspaceId }),
  z.strictObject({ kind: z.literal('gateway') }),
  z.strictObject({ kind: z.literal('device'), device: DeviceId }),
  z.strictObject({ kind: z.literal('sensor'), device: DeviceId, sensor: SensorName }),
  z.strictObject({ kind: z.literal('item'), item: ItemId }),
])
export type Resource = z.infer<typeof Resource>

/** What can be granted; an organisation as a whole cannot, roles are for that. */
export const Shareable = z.discriminatedUnion('kind', Resource.options.slice(1) as Shareables)
export type Shareable = Exclude<Resource, { kind: 'org' }>
type Options = typeof Resource.options
type Shareables = [Options[1], Options[2], Options[3], Options[4], Options[5]]

export const Grantee = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('member'), org: OrgId, name: MemberName, incarnation: Incarnation }),
  z.strictObject({ kind: z.literal('team'), org: OrgId, team: TeamHandle }),
  /** Every active member. */
  z.strictObject({ kind: z.literal('org'), org: OrgId }),
])
export type Grantee = z.infer<typeof Grantee>

export const Author = z.strictObject({ org: OrgId, name: MemberName, incarnation: Incarnation })
export type Author = z.infer<typeof Author>

/**
 * One thing, with what is under it, shown to somebody. On a workspace it is what other products call a workspace role
 * or a team member of a profile.
 */
export const Grant = z.strictObject({
  id: GrantId,
  on: Shareable,
  to: Grantee,
  level: Level,
  /** The thing's when it was granted. */
  ownerEpoch: z.int().min(1),
  /** The policy it crosses organisations by; null = it stays inside the owner's. */
  via: CrossPolicyId.nullable().default(null),
  by: Author.nullable().default(null),
  /** Takes rights away from the level; a role of the owner's organisation. */
  custom: RoleId.nullable().default(null),
  expiresAt: PolicyInstant.nullable().default(null),
  offlineTtl: Ttl.nullable().default(null),
  /** Kept by somebody who left: crosses the organisation's fence, is listed, and any administrator ends it (S0.9). */
  legacy: z.boolean().default(false),
})
export type Grant = z.infer<typeof Grant>

/** One organisation lets its people share with another's. One way: from the owner of the things (S0.28). */
export const CrossPolicy = z.strictObject({
  id: CrossPolicyId,
  from: OrgId,
  to: OrgId,
  state: z.enum(['pending', 'active']).default('active'),
  maxLevel: Level.default('editor'),
  /** How long its grants live on without news, policy time after `issuedAt`; null = to `hardUntil`. */
  offlineTtl: Ttl.nullable().default(null),
})
export type CrossPolicy = z.infer<typeof CrossPolicy>

/** A partner's people work in a customer's organisation by their roles there, never with more than `cap`. */
export const PartnerLink = z.strictObject({
  id: LinkId,
  partner: OrgId,
  customer: OrgId,
  /** `pending`: an existing organisation has yet to consent. */
  state: z.enum(['pending', 'active', 'ended']).default('active'),
  cap: Role.default('super-installer'),
  expiresAt: PolicyInstant.nullable().default(null),
  offlineTtl: Ttl.nullable().default(null),
})
export type PartnerLink = z.infer<typeof PartnerLink>
