import { z } from 'zod'
import {
  ApiKeyV1,
  DeviceId,
  GatewayId,
  MemberV1,
  MemberName,
  OrganisationV1,
  OrgId,
  OwnedDeviceV1,
  PublicKey,
  ShareV1,
} from '../../contract/index.ts'

/**
 * Every kind of fact in the policy log. The log is the ground state: an entry, once written, is never changed and its
 * shape never changes meaning; the directory is what they add up to.
 */
export const DirectoryChange = z.discriminatedUnion('kind', [
  OrganisationV1.extend({ kind: z.literal('organisation.added') }),
  MemberV1.omit({ incarnation: true }).extend({ kind: z.literal('member.added') }),
  z.strictObject({ kind: z.literal('member.removed'), org: OrgId, name: MemberName }),
  ApiKeyV1.extend({ kind: z.literal('key.added') }),
  z.strictObject({ kind: z.literal('key.removed'), org: OrgId, name: MemberName }),
  z.strictObject({ kind: z.literal('gateway.registered'), id: GatewayId, org: OrgId, publicKey: PublicKey }),
  OwnedDeviceV1.omit({ ownerEpoch: true }).extend({
    kind: z.literal('device.registered'),
    gateway: GatewayId,
  }),
  z.strictObject({
    kind: z.literal('device.diagnostic'),
    gateway: GatewayId,
    id: DeviceId,
    /** It tells of its gateway itself, and nobody is billed for it. */
    diagnostic: z.boolean(),
  }),
  ShareV1.extend({ kind: z.literal('share.added'), gateway: GatewayId }),
  z.strictObject({
    kind: z.literal('share.revoked'),
    id: ShareV1.shape.id,
    gateway: GatewayId,
    device: DeviceId,
  }),
])
export type DirectoryChange = z.infer<typeof DirectoryChange>
type Kind = DirectoryChange['kind']
/** The change of one kind. */
export type Change<K extends Kind> = Extract<DirectoryChange, { kind: K }>
