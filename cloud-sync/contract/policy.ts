import { z } from 'zod'
import { DeviceId, GatewayId, Hash, MemberName, OrgId, SensorName, WorkspaceId } from './ids.ts'

export const ROLES = ['owner', 'admin', 'member'] as const
export const Role = z.enum(ROLES)
export type Role = z.infer<typeof Role>

/** A public key: 32 raw Ed25519 bytes in base64. */
export const PublicKey = z.base64().refine((text) => Buffer.from(text, 'base64').length === 32, '32 bytes')

export const Organisation = z.strictObject({ id: OrgId, name: z.string().min(1).max(128) })
export const Member = z.strictObject({
  org: OrgId,
  name: MemberName,
  role: Role,
  /** Counts memberships of the same name: a re-invited member is another one and old grants stay dead. */
  incarnation: z.int().min(1),
})
export type Member = z.infer<typeof Member>

/** An API key: login `org:name`, acting for a member, at most with that member's rights. */
export const ApiKey = z.strictObject({
  org: OrgId,
  name: MemberName,
  member: MemberName,
  /** SHA-256 of the key, hex. Keys are 256 random bits, so no slow hash is needed. */
  hash: Hash,
})
export type ApiKey = z.infer<typeof ApiKey>

export const OwnedDevice = z.strictObject({
  id: DeviceId,
  org: OrgId,
  ownerEpoch: z.int().min(1),
  custodian: MemberName.nullable(),
  workspace: WorkspaceId.nullable(),
})
export type OwnedDevice = z.infer<typeof OwnedDevice>

/** A device, or one of its sensors, shown to another organisation or to one member. */
export const Share = z.strictObject({
  id: z.string().regex(/^[a-z0-9-]{1,64}$/),
  device: DeviceId,
  sensor: SensorName.nullable(),
  to: z.strictObject({ org: OrgId, member: MemberName.nullable() }),
  level: z.literal('viewer'),
})
export type Share = z.infer<typeof Share>

/** Everything one gateway must know to decide alone. Signed by the cloud over its exact bytes (JSON, UTF-8). */
export const PolicySnapshot = z.strictObject({
  v: z.literal(1),
  gateway: GatewayId,
  version: z.int().min(1),
  issuedAt: z.int().min(0),
  gatewayOrg: OrgId,
  organisations: z.array(Organisation).max(1000),
  members: z.array(Member).max(10_000),
  keys: z.array(ApiKey).max(10_000),
  devices: z.array(OwnedDevice).max(1000),
  shares: z.array(Share).max(10_000),
  /** Parts a gateway must understand or refuse the whole; none yet. */
  critical: z.array(z.string()).max(64),
})
export type PolicySnapshot = z.infer<typeof PolicySnapshot>

/** The keys that sign for the cloud now, itself signed by the root key. */
export const Keyset = z.strictObject({
  v: z.literal(1),
  version: z.int().min(1),
  keys: z.array(PublicKey).min(1).max(8),
})
export type Keyset = z.infer<typeof Keyset>
