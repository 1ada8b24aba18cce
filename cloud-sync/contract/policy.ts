import { z } from 'zod'
import { GatewayId } from './ids.ts'
import { ChangesHeard } from './proposal.ts'
import { QuotaShare } from './quota.ts'
import {
  ApiKey,
  CustomRole,
  Member,
  Organisation,
  Team,
  TEAM_MEMBERS_MAX,
  Workspace,
} from './organisation.ts'
import {
  CrossPolicy,
  Grant,
  OwnedDevice,
  OwnedGateway,
  OwnedItem,
  OwnedSensor,
  PartnerLink,
} from './sharing.ts'

/** A public key: 32 raw Ed25519 bytes in base64. */
export const PublicKey = z.base64().refine((text) => Buffer.from(text, 'base64').length === 32, '32 bytes')

/**
 * One more each time a cloud came back from an old backup and counts its versions from where they were then. Only the
 * root key raises it: whatever is of a higher generation is newer, whatever its version.
 */
const Generation = z.int().min(1)

/**
 * Entries of each list of a policy at most, and people of one team. Who writes what a policy is made of bounds it by
 * these: a policy that is longer does not reach its gateway.
 */
export const POLICY_MAX = {
  organisations: 1_000,
  members: 10_000,
  keys: 10_000,
  roles: 1_000,
  teams: 1_000,
  teamMembers: TEAM_MEMBERS_MAX,
  workspaces: 1_000,
  devices: 1_000,
  sensors: 10_000,
  items: 10_000,
  grants: 100_000,
  policies: 10_000,
  links: 10_000,
  quotas: 10_000,
} as const

const facts = {
  /** Null where the facts are about organisations only, as the cloud asks about members and links. */
  owner: OwnedGateway.nullable(),
  organisations: z.array(Organisation).max(POLICY_MAX.organisations),
  members: z.array(Member).max(POLICY_MAX.members),
  keys: z.array(ApiKey).max(POLICY_MAX.keys).default([]),
  roles: z.array(CustomRole).max(POLICY_MAX.roles).default([]),
  teams: z.array(Team).max(POLICY_MAX.teams).default([]),
  workspaces: z.array(Workspace).max(POLICY_MAX.workspaces).default([]),
  devices: z.array(OwnedDevice).max(POLICY_MAX.devices).default([]),
  sensors: z.array(OwnedSensor).max(POLICY_MAX.sensors).default([]),
  items: z.array(OwnedItem).max(POLICY_MAX.items).default([]),
  grants: z.array(Grant).max(POLICY_MAX.grants).default([]),
  policies: z.array(CrossPolicy).max(POLICY_MAX.policies).default([]),
  links: z.array(PartnerLink).max(POLICY_MAX.links).default([]),
}

/** Who is who and whose is what: all that a decision is made from, besides the time. */
export const PolicyFacts = z.strictObject(facts)
export type PolicyFacts = z.infer<typeof PolicyFacts>

/** Everything one gateway must know to decide alone. Signed by the cloud over its exact bytes (JSON, UTF-8). */
export const PolicySnapshot = z.strictObject({
  v: z.literal(2),
  gateway: GatewayId,
  /** The generation of the keyset that it travels with; orders before `version`. */
  generation: Generation.default(1),
  version: z.int().min(1),
  /** The cloud's clock, epoch ms. */
  issuedAt: z.int().min(0),
  /** Policy time until which widening is decided here; null = always (a gateway without a cloud). */
  freshUntil: z.int().min(0).nullable().default(null),
  /** Policy time at which what others were shown ends for want of news; null = never. */
  hardUntil: z.int().min(0).nullable().default(null),
  /** The gateway's own changes up to here were judged before this was made: they no longer count beside it. */
  heard: ChangesHeard.nullable().default(null),
  /** What workspaces may use here; one that is not named is not limited. */
  quotas: z.array(QuotaShare).max(POLICY_MAX.quotas).default([]),
  ...facts,
  owner: OwnedGateway,
  /** Parts a gateway must understand or refuse the whole; none yet. */
  critical: z.array(z.string()).max(64),
})
export type PolicySnapshot = z.infer<typeof PolicySnapshot>

const publicKeys = z.array(PublicKey).min(1).max(8)
const KeysetV2 = z.strictObject({
  v: z.literal(2),
  generation: Generation,
  version: z.int().min(1),
  keys: publicKeys,
})
const KeysetV1 = z
  .strictObject({ v: z.literal(1), version: z.int().min(1), keys: publicKeys })
  .transform((old): Keyset => ({ ...old, v: 2, generation: 1 }))

/** The keys that sign for the cloud now, itself signed by the root key. Version 1 is of the first generation. */
export const Keyset = z.union([KeysetV2, KeysetV1])
export type Keyset = z.infer<typeof KeysetV2>

/** Where a keyset or a snapshot stands in the order of its kind. */
export type PolicyOrder = Pick<Keyset, 'generation' | 'version'>

/** Below 0 where `a` is older than `b`, 0 where they are the same, above 0 where it is newer; undefined is older than all. */
export function comparePolicyOrder(a: PolicyOrder | undefined, b: PolicyOrder | undefined): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined)
  return a.generation - b.generation || a.version - b.version
}
