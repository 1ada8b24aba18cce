import type {
  ApiKey,
  Grantee,
  GrantId,
  Level,
  MemberName,
  OrgId,
  Resource,
  Right,
  Role,
} from '../contract/index.ts'

/** Who asks: a member or key of an organisation. The organisation is the context; rights of two never combine. */
export interface Principal {
  readonly org: OrgId
  /** Login name after the colon: a member's or an API key's. */
  readonly name: MemberName
}

/**
 * Where it is decided and at what time, epoch ms. At a gateway it is policy time: signed cloud time plus counted running
 * time; `signed` is false from a boot until the first signed time after it.
 */
export type When =
  | { readonly place: 'cloud'; readonly at: number }
  | { readonly place: 'gateway'; readonly at: number; readonly signed: boolean }

/** What the action is about, where the resource does not say it all. What is missing is taken to be the least. */
export interface About {
  /** Whose membership, whose entry of the audit log. */
  readonly member?: MemberName
  /** The role to give. */
  readonly role?: Role
  /** Rights that were withheld from that member, and no longer are. */
  readonly back?: readonly Right[]
  /** The level to give. */
  readonly level?: Level
  /** To whom it is given; the team that somebody joins. */
  readonly to?: Grantee
  /** The grant to end. */
  readonly grant?: GrantId
  /** Of the token to make. */
  readonly scope?: ApiKey['scope']
  /** The password was just given again. */
  readonly stepUp?: boolean
  /** A valid claim ticket is there. */
  readonly ticket?: boolean
}

export interface Question {
  readonly principal: Principal
  readonly action: Right
  readonly resource: Resource
  readonly when: When
  readonly about?: About
}

/**
 * Why not, from what was looked at first to what was looked at last. Outsiders hear `unknown-resource` whether or not
 * there is such a thing.
 */
export const REFUSALS = [
  'no-policy',
  'unclaimed',
  'disputed',
  'unknown-principal',
  'organisation-suspended',
  'not-joined',
  'suspended',
  'key-expired',
  'unknown-resource',
  'frozen',
  'decommissioned',
  'not-granted',
  'role',
  'own-only',
  'no-billing',
  'no-ticket',
  'read-only',
  'capped-link',
  'expired',
  'lapsed',
  'unknown-member',
  'rank',
  'last-owner',
  'capped-role',
  'capped-scope',
  'cloud-only',
  'stale',
  'provisional',
  'viewer-only-here',
  'invitee-pending',
  'no-cross-policy',
  'capped-policy',
  'lacking',
  'step-up',
] as const
export type Refusal = (typeof REFUSALS)[number]

/**
 * A refusal is a value. Every path that allows is named: `role:admin`, `host`, `custodian`, `grant:ID`,
 * `team:HANDLE/grant:ID`, `org/grant:ID`, `link:ID/installer`, after `key:NAME`.
 */
export type Decision =
  | { readonly allowed: true; readonly via: readonly string[] }
  | { readonly allowed: false; readonly because: Refusal }
