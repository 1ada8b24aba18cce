import { z } from 'zod'
import { ZoneFrom } from './billing-zone.ts'
import { Hash, MemberName, OrgId, plainId, WorkspaceId } from './ids.ts'
import { Preset, Right, Role } from './rights.ts'

/** A person, whatever organisations they are a member of. Only the cloud knows persons. */
export const UserId = plainId.brand<'UserId'>()
export type UserId = z.infer<typeof UserId>

export const RoleId = plainId.brand<'RoleId'>()
export type RoleId = z.infer<typeof RoleId>

/** Unique in its organisation; alerts and jobs are tagged with it (S2.16). */
export const TeamHandle = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{1,38}$/, 'a letter or digit, then letters, digits and hyphens, 2 to 39')
  .brand<'TeamHandle'>()
export type TeamHandle = z.infer<typeof TeamHandle>

/** Counts memberships of the same name: a re-invited member is another one and old grants stay dead. */
export const Incarnation = z.int().min(1)

/** Changes of an organisation's billing time zone that a gateway is told of. */
export const ZONES_MAX = 16

export const Organisation = z.strictObject({
  id: OrgId,
  name: z.string().min(1).max(128),
  /** `personal`: of one person who is in no other. */
  type: z.enum(['standard', 'partner', 'customer', 'personal']).default('standard'),
  preset: Preset.default('headgate'),
  /** Whether other organisations find it (S0.24); policies already made do not depend on it. */
  visibility: z.enum(['private', 'public']).default('private'),
  /** `external`: invoiced outside, so usage is not shown (S0.35). */
  billing: z.enum(['inApp', 'external']).default('inApp'),
  /** What its days are counted in, in order of their beginning; none = UTC. */
  zones: z.array(ZoneFrom).max(ZONES_MAX).optional(),
  state: z.enum(['active', 'suspended']).default('active'),
})
export type Organisation = z.infer<typeof Organisation>

/**
 * `left`: gone by themselves, with nothing but the legacy grants that they were left with. Who was removed by an
 * administrator has no entry any more.
 */
export const MEMBER_STATES = ['invited', 'active', 'suspended', 'left'] as const

export const Member = z.strictObject({
  org: OrgId,
  name: MemberName,
  role: Role,
  incarnation: Incarnation,
  state: z.enum(MEMBER_STATES).default('active'),
  /** The billing add-on: what an `admin` lacks without it. */
  billing: z.boolean().default(false),
  /** Takes rights away from the role; null = none. */
  custom: RoleId.nullable().default(null),
})
export type Member = z.infer<typeof Member>

/** A role that an organisation made for itself: a known one without some of its rights. It never adds any. */
export const CustomRole = z.strictObject({
  id: RoleId,
  org: OrgId,
  name: z.string().min(1).max(64),
  without: z.array(Right).max(64),
})
export type CustomRole = z.infer<typeof CustomRole>

export const TeamMember = z.strictObject({
  name: MemberName,
  incarnation: Incarnation,
  role: z.enum(['lead', 'member']).default('member'),
})

/** People of one team. */
export const TEAM_MEMBERS_MAX = 1000

/** A group of members that things are shared with as one. */
export const Team = z.strictObject({
  org: OrgId,
  handle: TeamHandle,
  name: z.string().min(1).max(128),
  members: z.array(TeamMember).max(TEAM_MEMBERS_MAX),
})
export type Team = z.infer<typeof Team>

/** A project, profile or water system. Its name is not unique (S3.10), its id is. */
export const Workspace = z.strictObject({
  id: WorkspaceId,
  org: OrgId,
  type: z.enum(['project', 'profile', 'system']).default('project'),
  name: z.string().min(1).max(128),
  /** One more with each change of owner. */
  ownerEpoch: z.int().min(1).default(1),
})
export type Workspace = z.infer<typeof Workspace>

/** What a key opens of its member's rights; `write` reads nothing (S3.14). */
export const KEY_SCOPES = ['full', 'read', 'write'] as const

/** An API key or token: login `org:name`, acting for a member, never with more than that member's rights. */
export const ApiKey = z.strictObject({
  org: OrgId,
  name: MemberName,
  member: MemberName,
  /** Of the membership it was made in; it dies with that. */
  incarnation: Incarnation,
  scope: z.enum(KEY_SCOPES).default('full'),
  /** Policy time, epoch ms, from which it opens nothing; null = never. */
  expiresAt: z.int().min(0).nullable().default(null),
  /** SHA-256 of the key, hex. Keys are 256 random bits, so no slow hash is needed. */
  hash: Hash,
})
export type ApiKey = z.infer<typeof ApiKey>
