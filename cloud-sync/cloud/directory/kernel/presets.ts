import type { Organisation, Role } from '../../../contract/index.ts'

type Preset = Organisation['preset']

/** What an organisation's vocabulary demands of membership, beside the names of roles (seed-rules.md, conflicts). */
interface MembershipRules {
  /** Roles that can be given, lowest first. */
  readonly roles: readonly Role[]
  /** The only role an invitation gives; null = the inviter chooses (S0.18). */
  readonly inviteRole: Role | null
  /** Only who has an account can be invited (S3.12). */
  readonly inviteNeedsAccount: boolean
  /** Nobody is in two organisations of this vocabulary (S0.7). */
  readonly oneOrganisation: boolean
  /** Ownership is handed on, never shared (S1.10). */
  readonly oneOwner: boolean
}

const OPEN: MembershipRules = {
  roles: ['observer', 'member', 'viewer', 'editor', 'admin', 'owner'],
  inviteRole: null,
  inviteNeedsAccount: false,
  oneOrganisation: false,
  oneOwner: false,
}
const PARTNER: readonly Role[] = ['installer', 'systems-admin', 'super-installer', 'owner']
const CUSTOMER: readonly Role[] = [
  'customer-viewer',
  'customer-operator',
  'customer-manager',
  'customer-owner',
]

const RULES: Readonly<Record<Preset, MembershipRules>> = {
  headgate: { ...OPEN, roles: [...OPEN.roles, ...PARTNER.slice(0, -1), ...CUSTOMER] },
  // Basic and Admin; an Admin holds everything an owner does (decisions.md, rank).
  sensemetrics: { ...OPEN, roles: ['member', 'owner'], inviteRole: 'member', oneOrganisation: true },
  akenza: { ...OPEN, roles: ['member', 'viewer', 'editor', 'admin', 'owner'], oneOwner: true },
  iotflows: { ...OPEN, roles: ['observer', 'member', 'admin', 'owner'] },
  tagoio: { ...OPEN, roles: ['member', 'owner'], inviteNeedsAccount: true },
  'meter.me': { ...OPEN, roles: [...PARTNER, ...CUSTOMER] },
}

/** What an organisation's vocabulary demands of membership. */
export const membershipRules = (preset: Preset): MembershipRules => RULES[preset]

/** The roles that an organisation cannot be without. */
export const OWNER_ROLES: readonly Role[] = ['owner', 'customer-owner']
