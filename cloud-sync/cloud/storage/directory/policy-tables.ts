import type { Level, Organisation, Role } from '../../../contract/index.ts'
import { maybe, type Tables, text, whole } from '../relational/index.ts'
import { CLAIM_TABLES } from './claim-tables.ts'
import { THING_TABLES } from './thing-tables.ts'

/** What can be shared. */
export type ResourceKind = 'workspace' | 'gateway' | 'device' | 'sensor' | 'view' | 'alert'

/**
 * What the policy log adds up to: who there is and who may do what. Each row belongs to one chain of the log, named by
 * `chain`; nothing is ever written here without an entry there. Flags are 0 or 1, times epoch ms, `*_key` is the folded
 * form that is compared, resources are paths: `GW-1`, `GW-1/tilt-1`, `GW-1/tilt-1/main`, or an id.
 */
export const POLICY_TABLES = {
  user: {
    columns: {
      id: text(),
      email: text(),
      email_key: text(),
      /** Null = said, not proven: such an address is nobody's, and several may say it. */
      email_verified_at: maybe(whole()),
      name: text(),
      tz: text(),
      state: text<'active' | 'suspended'>(),
      created_at: whole(),
    },
    key: ['id'],
    uniqueWhereKnown: [{ columns: ['email_key'], known: 'email_verified_at' }],
    indexes: [['email_key']],
  },
  organisation: {
    columns: {
      id: text(),
      name: text(),
      name_key: text(),
      type: text<Organisation['type']>(),
      visibility: text<Organisation['visibility']>(),
      billing: text<Organisation['billing']>(),
      preset: text<Organisation['preset']>(),
      description: text(),
      logo_url: text(),
      /** JSON: what the whole organisation may use, by service. */
      quotas: text(),
      /** JSON list of ZoneFrom: what its days are counted in; empty = UTC. */
      billing_zones: text(),
      state: text<'active' | 'suspended' | 'deleted'>(),
      created_at: whole(),
      /** When it was deleted. */
      ended_at: maybe(whole()),
    },
    key: ['id'],
    indexes: [['name_key']],
  },
  membership: {
    columns: {
      org: text(),
      user: text(),
      role: text<Role>(),
      /** The billing add-on. */
      billing: whole(),
      /** Takes rights away from the role. */
      custom: maybe(text()),
      incarnation: whole(),
      state: text<'active' | 'suspended' | 'left' | 'removed'>(),
      since: whole(),
    },
    key: ['org', 'user'],
    indexes: [['user']],
  },
  /** A role of the organisation's own making: a known one without some rights. */
  custom_role: {
    columns: {
      id: text(),
      org: text(),
      name: text(),
      /** JSON list of rights. */
      without: text(),
      state: text<'active' | 'deleted'>(),
      created_at: whole(),
    },
    key: ['id'],
    indexes: [['org']],
  },
  workspace: {
    columns: {
      id: text(),
      org: text(),
      type: text<'project' | 'profile' | 'system'>(),
      name: text(),
      description: text(),
      logo_url: text(),
      /** JSON: limit by service. */
      quotas: text(),
      state: text<'active' | 'deleted'>(),
      created_by: text(),
      created_at: whole(),
    },
    key: ['id'],
    indexes: [['org']],
  },
  /** What a workspace has bought beside what is allocated to it. */
  workspace_add_on: {
    columns: {
      id: text(),
      org: text(),
      workspace: text(),
      name: text(),
      service: text(),
      amount: whole(),
      state: text<'active' | 'ended'>(),
      created_at: whole(),
    },
    key: ['id'],
    indexes: [['workspace'], ['org']],
  },
  /** What a workspace may use of a meter on one gateway in a month: in the policy of that gateway. */
  quota_share: {
    columns: { workspace: text(), gateway: text(), meter: text(), org: text(), amount: whole() },
    key: ['workspace', 'gateway', 'meter'],
    indexes: [['gateway'], ['org']],
  },
  invitation: {
    columns: {
      id: text(),
      org: text(),
      email: text(),
      email_key: text(),
      role: text<Role>(),
      workspace: maybe(text()),
      workspace_level: maybe(text<Level>()),
      /** SHA-256 of the secret in the mail; a repeated invitation gets a new one. */
      secret_hash: text(),
      /** The person and the organisation they acted for; null = the platform. */
      invited_by: text(),
      invited_by_org: maybe(text()),
      /** Their membership there: whoever comes back as another has invited nobody. 0 = the platform. */
      invited_by_incarnation: whole(),
      state: text<'open' | 'accepted' | 'declined' | 'revoked'>(),
      accepted_by: maybe(text()),
      created_at: whole(),
      expires_at: whole(),
    },
    key: ['id'],
    unique: [['secret_hash']],
    indexes: [['org', 'email_key'], ['email_key']],
  },
  team: {
    columns: {
      id: text(),
      org: text(),
      handle: text(),
      name: text(),
      state: text<'active' | 'deleted'>(),
      created_at: whole(),
    },
    key: ['id'],
    indexes: [['org', 'handle']],
  },
  team_member: {
    columns: {
      team: text(),
      user: text(),
      org: text(),
      role: text<'lead' | 'member'>(),
      incarnation: whole(),
    },
    key: ['team', 'user'],
    indexes: [['org', 'user']],
  },
  /** One way: people of `org` may share to people of `to_org`. */
  cross_org_policy: {
    columns: {
      org: text(),
      to_org: text(),
      /** A policy that is set again has another id; what was shared under the old one stays asleep. */
      id: text(),
      max_level: text<Level>(),
      offline_ttl_ms: whole(),
      state: text<'active' | 'deleted'>(),
      created_by: text(),
      created_at: whole(),
    },
    key: ['org', 'to_org'],
    indexes: [['to_org']],
  },
  /** `partner` manages `org`. */
  management_link: {
    columns: {
      id: text(),
      org: text(),
      partner: text(),
      /** The most that a member of the partner may be there. */
      cap: text<Role>(),
      state: text<'pending' | 'active' | 'ended'>(),
      consent_by: maybe(text()),
      expires_at: maybe(whole()),
      created_at: whole(),
      /** When the customer consented: since then it is managed. */
      begun_at: maybe(whole()),
    },
    key: ['id'],
    indexes: [['org'], ['partner']],
  },
  ...THING_TABLES,
  ...CLAIM_TABLES,
  /** What was changed at gateways, each exactly as it came, and what became of it. */
  gateway_change: {
    columns: {
      gateway: text(),
      replica: text(),
      seq: whole(),
      /** The organisation in whose log it stands: whose facts it is about. */
      org: text(),
      /** The body that the gateway signed, base64. */
      body: text(),
      state: text<'accepted' | 'refused' | 'void'>(),
      because: maybe(text()),
      winner: maybe(text()),
      at: whole(),
    },
    key: ['gateway', 'replica', 'seq'],
    indexes: [['org']],
  },
  /** How far a gateway's changes are judged; of the database that it has now. */
  gateway_heard: {
    columns: { gateway: text(), org: text(), replica: text(), up_to: whole() },
    key: ['gateway'],
  },
  /**
   * What was taken away at one gateway and stays so there, until somebody of the organisation lifts it or makes it so
   * everywhere. `org` is the organisation whose member, token or share it is.
   */
  gateway_block: {
    columns: {
      id: text(),
      gateway: text(),
      org: text(),
      kind: text<'removed' | 'suspended' | 'key' | 'share'>(),
      /** A user by name, a token or a share by id. */
      subject: text(),
      /** The membership that it is about; 0 for a share. */
      incarnation: whole(),
      /** Of the gateway, where its owner is `org`: it ends with that ownership. */
      owner_epoch: maybe(whole()),
      blocked_by: text(),
      blocked_by_org: text(),
      state: text<'live' | 'lifted'>(),
      created_at: whole(),
    },
    key: ['id'],
    indexes: [['gateway'], ['org']],
  },
  /** What is shown to whom; `org` owns the resource. */
  grant: {
    columns: {
      id: text(),
      org: text(),
      resource_kind: text<ResourceKind>(),
      resource: text(),
      /** A user by name, a team by id, an organisation by id. */
      principal_kind: text<'user' | 'team' | 'org'>(),
      principal: text(),
      principal_org: text(),
      level: text<Level>(),
      granted_by: text(),
      granted_by_org: text(),
      granted_by_incarnation: whole(),
      /** The membership that it was given to; 0 where it was given to a team or organisation. */
      incarnation: whole(),
      /** The resource's when it was granted. */
      owner_epoch: whole(),
      /** Id of the cross-organisation policy that carries it; null = it stays inside the owner's. */
      via: maybe(text()),
      expires_at: maybe(whole()),
      /** `legacy`: kept by somebody who left, exempt from the tenant fence, listed (S0.9). */
      state: text<'live' | 'legacy' | 'revoked'>(),
      /** The grant that brought it along, e.g. of a view. */
      brought_by: maybe(text()),
      created_at: whole(),
    },
    key: ['id'],
    indexes: [
      ['org', 'principal'],
      ['resource', 'principal'],
      ['principal_kind', 'principal'],
      ['principal_org'],
    ],
  },
  token: {
    columns: {
      id: text(),
      org: text(),
      user: text(),
      name: text(),
      kind: text<'api-key' | 'token'>(),
      scope: text<'full' | 'read' | 'write'>(),
      /** SHA-256 of 256 random bits. */
      hash: text(),
      incarnation: whole(),
      expires_at: maybe(whole()),
      state: text<'active' | 'revoked'>(),
      created_at: whole(),
    },
    key: ['id'],
    unique: [['hash']],
    indexes: [['org', 'user']],
  },
  /** What a shop or an older system called something; makes provisioning and migration repeatable. */
  foreign_id: {
    columns: { source: text(), foreign: text(), org: text(), what: text(), id: text() },
    key: ['source', 'foreign'],
  },
  platform_operator: {
    columns: { user: text(), state: text<'active' | 'ended'>(), since: whole() },
    key: ['user'],
  },
  /** Something that the platform rolls out; on where there is no row. */
  platform_feature: {
    columns: { name: text<'partners'>(), state: text<'on' | 'off'>() },
    key: ['name'],
  },
} as const satisfies Tables

export type PolicyTable = keyof typeof POLICY_TABLES
