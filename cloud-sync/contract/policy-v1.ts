import { z } from 'zod'
import { DeviceId, GatewayId, Hash, MemberName, OrgId, SensorName, WorkspaceId } from './ids.ts'
import { PolicySnapshot } from './policy.ts'

/** The roles of version 1, and all that a configuration without presets knows. */
export const RoleV1 = z.enum(['owner', 'admin', 'member'])
export type RoleV1 = z.infer<typeof RoleV1>

export const OrganisationV1 = z.strictObject({ id: OrgId, name: z.string().min(1).max(128) })
export const MemberV1 = z.strictObject({
  org: OrgId,
  name: MemberName,
  role: RoleV1,
  incarnation: z.int().min(1),
})
export type MemberV1 = z.infer<typeof MemberV1>

export const ApiKeyV1 = z.strictObject({ org: OrgId, name: MemberName, member: MemberName, hash: Hash })
export type ApiKeyV1 = z.infer<typeof ApiKeyV1>

export const OwnedDeviceV1 = z.strictObject({
  id: DeviceId,
  org: OrgId,
  ownerEpoch: z.int().min(1),
  custodian: MemberName.nullable(),
  workspace: WorkspaceId.nullable(),
})
export type OwnedDeviceV1 = z.infer<typeof OwnedDeviceV1>

/** A device, or one of its sensors, shown to another organisation or to one member. */
export const ShareV1 = z.strictObject({
  id: z.string().regex(/^[a-z0-9-]{1,64}$/),
  device: DeviceId,
  sensor: SensorName.nullable(),
  to: z.strictObject({ org: OrgId, member: MemberName.nullable() }),
  level: z.literal('viewer'),
})
export type ShareV1 = z.infer<typeof ShareV1>

export const PolicySnapshotV1 = z.strictObject({
  v: z.literal(1),
  gateway: GatewayId,
  version: z.int().min(1),
  issuedAt: z.int().min(0),
  gatewayOrg: OrgId,
  organisations: z.array(OrganisationV1).max(1000),
  members: z.array(MemberV1).max(10_000),
  keys: z.array(ApiKeyV1).max(10_000),
  devices: z.array(OwnedDeviceV1).max(1000),
  shares: z.array(ShareV1).max(10_000),
  critical: z.array(z.string()).max(64),
})
export type PolicySnapshotV1 = z.infer<typeof PolicySnapshotV1>

/**
 * What a version 1 snapshot says in the words of version 2: nobody gains by it. Version 1 had no policies between
 * organisations, so each pair that shares gets one; its administrators saw usage, so they have the billing add-on; it
 * never lapsed, and neither does this.
 */
export function raisedPolicy({ gatewayOrg, shares, ...old }: PolicySnapshotV1): PolicySnapshot {
  const incarnations = new Map(old.members.map((m) => [`${m.org}:${m.name}`, m.incarnation]))
  const incarnationOf = (org: OrgId, name: string | null): number =>
    incarnations.get(`${org}:${name ?? ''}`) ?? 1
  const devices = new Map(old.devices.map((device) => [device.id, device]))
  const policies = new Map<string, object>()
  const grants = shares.map(({ id, device, sensor, to: { org, member }, level }) => {
    const owner = devices.get(device)
    const crosses = owner !== undefined && owner.org !== org
    const via = crosses ? pairId(owner.org, org) : null
    if (via !== null) policies.set(via, { id: via, from: owner?.org, to: org, maxLevel: 'viewer' })
    return {
      id,
      on: sensor === null ? { kind: 'device', device } : { kind: 'sensor', device, sensor },
      to:
        member === null
          ? { kind: 'org', org }
          : { kind: 'member', org, name: member, incarnation: incarnationOf(org, member) },
      level,
      ownerEpoch: owner?.ownerEpoch ?? 1,
      via,
    }
  })
  return PolicySnapshot.parse({
    ...old,
    v: 2,
    owner: { org: gatewayOrg, ownerEpoch: 1 },
    members: old.members.map((member) => ({ ...member, billing: member.role === 'admin' })),
    keys: old.keys.map((key) => ({ ...key, incarnation: incarnationOf(key.org, key.member) })),
    devices: old.devices.map((device) => ({
      ...device,
      custodianIncarnation: incarnationOf(device.org, device.custodian),
    })),
    grants,
    policies: [...policies.values()],
  })
}

/** Two ids joined do not fit one; a policy's id only has to be the same for the same pair. */
function pairId(from: OrgId, to: OrgId): string {
  let hash = 0n
  for (const char of `${from}>${to}`) {
    // FNV-1a, 64 bits.
    hash = BigInt.asUintN(64, (hash ^ BigInt(char.codePointAt(0) ?? 0)) * 0x1_0000_0000_01b3n)
  }
  return `v1-${hash.toString(16)}`
}

/** A snapshot of any version that was ever signed, as the newest. */
export const StoredPolicySnapshot = z.union([PolicySnapshot, PolicySnapshotV1.transform(raisedPolicy)])
