import { z } from 'zod'
import { Level, Preset, Right, Role } from '../../../contract/index.ts'

/** What leaves: fields that are not named here stay inside. */
const Id = z.string().describe('an id')
const Handle = z.string().describe('the id of an organisation, its handle')
const User = z.string().describe('a user name')
const Ms = z.int().describe('epoch milliseconds')
const Quotas = z.record(z.string(), z.int())
const Shown = z
  .object({ kind: z.string(), id: z.string() })
  .describe('a person, or the organisation for which somebody of another one acts')

export const Account = z.object({
  user: User,
  organisation: Handle.nullable(),
  workspace: Id.nullable(),
})
export const Me = z.object({ email: z.string(), name: z.string(), username: User, timezone: z.string() })
export const ProfileChanged = z.object({
  emailPending: z.string().nullable().describe('an address that is to be proven first'),
})
export const AddressOfUser = z.object({ user: User, email: z.string() })
export const UserNamed = z.object({ user: User })
export const Accepted = z.object({})

export const Founded = z.object({ organisation: Handle, workspace: Id.nullable() })
export const OrganisationNamed = z.object({ organisation: Handle })
export const Organisation = z.object({
  id: Handle,
  name: z.string(),
  type: z.enum(['standard', 'partner', 'customer', 'personal']),
  visibility: z.enum(['private', 'public']),
  preset: Preset,
  description: z.string(),
  logoUrl: z.string(),
  /** What days are billed in, in order; none = UTC. */
  billingZones: z.array(z.object({ from: z.string(), zone: z.string() })),
})
export const OwnOrganisation = Organisation.extend({
  role: Role.nullable().describe('null where it is a customer of an own organisation'),
  through: Handle.nullable().describe('the partner through which it is reached'),
})
export const FoundOrganisation = z.object({ id: Handle, name: z.string() })
export const Visible = z.object({ organisation: Handle, visibility: z.enum(['private', 'public']) })
export const Owned = z.object({ org: Handle, owner: User })

export const Member = z.object({
  user: User,
  name: z.string(),
  email: z.string().nullable(),
  role: Role,
  billing: z.boolean(),
  custom: Id.nullable().describe('a role of the organisation that takes rights away'),
  state: z.enum(['active', 'suspended', 'left', 'removed']),
  since: Ms,
})
export const MemberRole = z.object({ org: Handle, user: User, role: Role })
export const Suspension = z.object({ org: Handle, user: User, suspended: z.boolean() })

export const Invited = z.object({ invitation: Id, expiresAt: Ms })
export const Joined = z.object({ organisation: Handle, role: Role })
export const Invitation = z.object({
  id: Id,
  email: z.string(),
  role: Role,
  workspace: Id.nullable(),
  level: Level.nullable(),
  createdAt: Ms,
  expiresAt: Ms,
  expired: z.boolean(),
})

export const WorkspaceNamed = z.object({ workspace: Id })
export const Workspace = z.object({
  id: Id,
  name: z.string(),
  type: z.enum(['project', 'profile', 'system']),
  description: z.string(),
  logoUrl: z.string(),
  quotas: Quotas,
})
export const Allocated = z.object({ workspace: Id, quotas: Quotas })
export const AddOnNamed = z.object({ addOn: Id })
const Percent = z.int()
const Whole = z.string()
export const QuotaOfMeter = z.object({
  meter: z.string(),
  period: z.string(),
  limit: Whole,
  used: Whole.nullable(),
  percent: Percent.nullable(),
  warned: z.array(Percent),
})
export const QuotaWarning = z.object({
  workspace: Id,
  meter: z.string(),
  period: z.string(),
  step: Percent,
  used: Whole,
  limit: Whole,
  at: Ms,
})
export const WorkspaceMetrics = z.object({
  devices: z.int(),
  gateways: z.int(),
  simCards: z.int(),
  users: z.int(),
})
export const WorkspaceLevel = z.object({ workspace: Id, user: User, level: Level })
export const WorkspaceMember = z.object({ user: User, role: Role.nullable(), level: Level })

const TeamRole = z.enum(['lead', 'member'])
export const TeamNamed = z.object({ team: Id })
export const TeamMember = z.object({ team: Id, user: User, role: TeamRole })
export const Team = z.object({
  id: Id,
  handle: z.string(),
  name: z.string(),
  members: z.array(z.object({ user: User, role: TeamRole })),
})

export const PolicyAdded = z.object({ policy: Id, to: Handle })
export const SharingPolicy = z.object({ to: Handle, name: z.string(), maxLevel: Level, createdAt: Ms })

export const Customer = z.object({ customer: Handle, link: Id, systems: z.array(Id) })
export const CustomerAsked = z.object({ customer: Handle })
export const LinkNamed = z.object({ link: Id })
export const Link = z.object({
  direction: z.enum(['managed-by', 'manages']),
  link: Id,
  org: Handle,
  name: z.string(),
  cap: Role,
  state: z.enum(['pending', 'active', 'ended']),
  expiresAt: Ms.nullable(),
})

export const GatewayNamed = z.object({ gateway: Id })
export const DeviceNamed = z.object({ device: z.string().describe('GATEWAY/DEVICE') })
export const Custody = z.object({ resource: z.string(), custodian: User.nullable() })

export const Shared = z.object({
  grant: Id,
  brought: z.array(Id).describe('shares of gateways that a view brought along'),
})
export const Share = z.object({
  grant: Id,
  thing: z.object({
    kind: z.enum(['workspace', 'gateway', 'device', 'sensor', 'view', 'alert']),
    resource: z.string(),
  }),
  to: z.object({ kind: z.enum(['user', 'team', 'org']), id: z.string(), org: Handle }),
  level: Level,
  state: z.enum(['live', 'legacy', 'revoked', 'dormant']),
  broughtBy: Id.nullable(),
  grantedBy: Shown,
  createdAt: Ms,
})
export const DeviceShare = z.object({
  direction: z.enum(['given', 'received']),
  grant: Id,
  from: Handle.describe("the device's owner"),
  gateway: Id,
  device: Id,
  sensor: Id.nullable().describe('null = the whole device'),
  to: z.object({ org: Handle, member: User.nullable().describe('null = the whole organisation') }),
  level: Level,
})
export const Allowed = z.object({ allowed: z.boolean() })

export const ViewNamed = z.object({ view: Id })
export const ViewListed = z.object({
  id: Id,
  name: z.string(),
  kind: z.enum(['graph', 'map', 'table']),
  owner: Shown,
  gateways: z.array(Id),
})
export const View = ViewListed.extend({ definition: z.unknown().describe('as it was saved') })

export const AlertNamed = z.object({ alert: Id })
export const AlertOptOut = z.object({ resource: z.string(), kind: z.string(), off: z.boolean() })
export const Alert = z.object({
  id: Id,
  name: z.string(),
  kind: z.enum(['offline', 'low-battery', 'threshold']),
  channel: z.string().nullable(),
  owner: Shown,
  above: z.number().nullable(),
  below: z.number().nullable(),
})

export const Secret = z.object({
  token: Id,
  secret: z.string().nullable().describe('shown once; null in a repeated answer'),
})
export const Token = z.object({
  id: Id,
  name: z.string(),
  kind: z.enum(['api-key', 'token']),
  scope: z.enum(['full', 'read', 'write']),
  expiresAt: Ms.nullable(),
  createdAt: Ms,
})

export const MemberToken = Token.extend({ user: Handle })

export const AuditLine = z.object({
  position: z.int(),
  at: Ms,
  actor: Shown,
  what: z.string(),
  outcome: z.string().describe('done, or the code with which it was refused'),
  about: z.string().nullable().describe('what it was done to: name and id of a token'),
})

export const Provisioned = z.object({ organisation: Handle, made: z.boolean() })
export const Migrated = z.object({
  organisations: z.int(),
  links: z.int(),
  systems: z.int(),
  accounts: z.int(),
  memberships: z.int(),
  levels: z.int(),
})
export const PlatformOperator = z.object({ user: User, since: Ms })
export const Feature = z.object({ feature: z.string(), on: z.boolean() })

export const CustomRoleNamed = z.object({ role: Id })
export const CustomRole = z.object({ id: Id, name: z.string(), without: z.array(Right) })
export const CustomRoleGiven = z.object({ org: Handle, user: User, role: Id.nullable() })

export const ComponentNamed = z.object({ component: Id })
export const ComponentSwapped = z.object({ component: Id, device: z.string(), before: z.string().nullable() })
export const Component = z.object({
  id: Id,
  name: z.string(),
  device: z.string().nullable(),
  history: z.array(z.object({ device: z.string(), since: Ms, until: Ms.nullable() })),
})

export const TransferOffered = z.object({ transfer: z.string(), expiresAt: z.int() })
export const TransferNamed = z.object({ transfer: z.string() })
const Direction = z.enum(['given', 'taken'])
export const GatewayTransfer = z.object({
  transfer: z.string(),
  gateway: z.string(),
  from: z.string(),
  to: z.string(),
  ownerEpoch: z.int(),
  state: z.enum(['offered', 'accepted', 'settling', 'done', 'cancelled', 'expired']),
  expiresAt: z.int(),
  settledAt: z.int().nullable(),
  direction: Direction,
})
export const WorkspaceTransfer = z.object({
  transfer: z.string(),
  workspace: z.string(),
  from: z.string(),
  to: z.string(),
  state: z.enum(['offered', 'settling', 'done', 'cancelled', 'expired']),
  expiresAt: z.int(),
  direction: Direction,
})
export const OwnershipEntry = z.object({
  epoch: z.int(),
  owner: z.string(),
  prev: z.string(),
  hash: z.string(),
  entry: z.string().describe('the text whose SHA-256 is the hash'),
})
export const Hosting = z.object({
  hosting: z.string(),
  host: z.string(),
  guest: z.string(),
  device: z.string(),
  name: z.string(),
  state: z.enum(['offered', 'accepted', 'declined', 'ended', 'expired']),
  expiresAt: z.int(),
  direction: z.enum(['hosts', 'visits']),
})

export const GatewayBlock = z.object({
  block: z.string(),
  gateway: z.string(),
  kind: z.enum(['removed', 'suspended', 'key', 'share']),
  subject: z.string(),
  by: Shown,
  createdAt: z.int(),
})

export const GatewayTaken = TransferNamed.extend({ gateway: z.string() })
export const WorkspaceTaken = TransferNamed.extend({ workspace: z.string(), awaits: z.array(z.string()) })
export const GatewayCut = GatewayNamed.extend({ owner: z.string(), cut: z.boolean() })
export const HostingOffered = z.object({ hosting: z.string(), expiresAt: z.int() })
export const HostingNamed = z.object({ hosting: z.string() })

export * from './billing-answers.ts'
export * from './claim-answers.ts'
