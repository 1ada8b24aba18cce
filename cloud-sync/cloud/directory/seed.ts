import { z } from 'zod'
import {
  DeviceId,
  GatewayId,
  Hash,
  MemberName,
  OrganisationV1,
  OrgId,
  PublicKey,
  RoleV1,
  SensorName,
  ShareV1,
  WorkspaceId,
} from '../../contract/index.ts'
import { sha256 } from '../../codec/index.ts'
import { parseYaml } from '../yaml.ts'
import type { DirectoryChange } from './changes.ts'

/** A key written out is for demos only: it is hashed at once and kept nowhere. */
const SeedKey = z
  .strictObject({
    organisation: OrgId,
    name: MemberName,
    member: MemberName,
    hash: Hash.optional(),
    key: z.string().min(1).max(256).optional(),
  })
  .refine(({ hash, key }) => (hash === undefined) !== (key === undefined), 'give either hash or key')

const DirectoryFile = z.strictObject({
  organisations: z.array(OrganisationV1).min(1),
  members: z.array(z.strictObject({ organisation: OrgId, name: MemberName, role: RoleV1 })).default([]),
  keys: z.array(SeedKey).default([]),
  gateways: z.array(z.strictObject({ id: GatewayId, organisation: OrgId, publicKey: PublicKey })).default([]),
  devices: z
    .array(
      z.strictObject({
        gateway: GatewayId,
        id: DeviceId,
        organisation: OrgId,
        custodian: MemberName.optional(),
        workspace: WorkspaceId.optional(),
      }),
    )
    .default([]),
  shares: z
    .array(
      z.strictObject({
        id: ShareV1.shape.id,
        gateway: GatewayId,
        device: DeviceId,
        sensor: SensorName.optional(),
        to: z.strictObject({ organisation: OrgId, member: MemberName.optional() }),
        level: ShareV1.shape.level.default('viewer'),
      }),
    )
    .default([]),
})
type DirectoryFile = z.infer<typeof DirectoryFile>

/** The changes a directory file stands for, in an order in which each can be made, each with its place in the file. */
export function parseDirectory(name: string, text: string): { change: DirectoryChange; where: string }[] {
  const file = parseYaml({ name, text, schema: DirectoryFile, code: 'CLOUD_DIRECTORY_INVALID' })
  return (['organisations', 'members', 'keys', 'gateways', 'devices', 'shares'] as const).flatMap((part) =>
    changesOf(file, part).map((change, index) => ({ change, where: `${part}[${index}]` })),
  )
}

function changesOf(file: DirectoryFile, part: keyof DirectoryFile): DirectoryChange[] {
  switch (part) {
    case 'organisations':
      return file.organisations.map((o) => ({ kind: 'organisation.added', ...o }))
    case 'members':
      return file.members.map(({ organisation: org, name, role }) => ({
        kind: 'member.added',
        org,
        name,
        role,
      }))
    case 'keys':
      return file.keys.map(({ organisation: org, name, member, hash, key }) => ({
        kind: 'key.added',
        org,
        name,
        member,
        hash: hash ?? sha256(Buffer.from(key ?? '')),
      }))
    case 'gateways':
      return file.gateways.map(({ id, organisation: org, publicKey }) => ({
        kind: 'gateway.registered',
        id,
        org,
        publicKey,
      }))
    case 'devices':
      return file.devices.map(({ gateway, id, organisation: org, custodian, workspace }) => ({
        kind: 'device.registered',
        gateway,
        id,
        org,
        custodian: custodian ?? null,
        workspace: workspace ?? null,
      }))
    case 'shares':
      return file.shares.map(({ id, gateway, device, sensor, to, level }) => ({
        kind: 'share.added',
        id,
        gateway,
        device,
        sensor: sensor ?? null,
        to: { org: to.organisation, member: to.member ?? null },
        level,
      }))
  }
}
