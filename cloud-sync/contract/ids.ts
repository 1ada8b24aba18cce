import { z } from 'zod'

/** Ids in configuration and topics: lower case letters, digits and hyphens, 1 to 64 (wire.md, section 4). */
export const plainId = z
  .string()
  .regex(/^[a-z0-9-]{1,64}$/, 'lower case letters, digits and hyphens, 1 to 64')

/** A gateway's id: its serial number, capitals allowed. */
export const GatewayId = z
  .string()
  .regex(/^[A-Za-z0-9-]{1,64}$/, 'letters, digits and hyphens, 1 to 64')
  .brand<'GatewayId'>()
export type GatewayId = z.infer<typeof GatewayId>

export const OrgId = plainId.brand<'OrgId'>()
export type OrgId = z.infer<typeof OrgId>

export const DeviceId = plainId.brand<'DeviceId'>()
export type DeviceId = z.infer<typeof DeviceId>

/** A group of channels of one device; `main` where a profile names none. */
export const SensorName = plainId.brand<'SensorName'>()
export type SensorName = z.infer<typeof SensorName>

/** A member, key or program of an organisation; the login is `org-handle:name`. */
export const MemberName = plainId.brand<'MemberName'>()
export type MemberName = z.infer<typeof MemberName>

export const WorkspaceId = plainId.brand<'WorkspaceId'>()
export type WorkspaceId = z.infer<typeof WorkspaceId>

/** A channel of a sensor, usable as a name in an expression. */
export const ChannelName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/, 'a letter, then letters, digits and underscores, 64 at most')
  .brand<'ChannelName'>()
export type ChannelName = z.infer<typeof ChannelName>

/** A stream epoch: 16 random bytes in hex, new for every database instance. */
export const Epoch = z
  .string()
  .regex(/^[0-9a-f]{32}$/)
  .brand<'Epoch'>()
export type Epoch = z.infer<typeof Epoch>

/** A SHA-256 in hex. */
export const Hash = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .brand<'Hash'>()
export type Hash = z.infer<typeof Hash>

/** The hash before the first item of a stream. */
export const ZERO_HASH = '0'.repeat(64) as Hash

/** What a register counts for: one sensor, a field device that speaks MQTT, the gateway itself, or one of its links. */
export const Subject = z
  .string()
  .regex(
    /^(sensor:[a-z0-9-]{1,64}\/[a-z0-9-]{1,64}|device:[a-z0-9-]{1,64}|gateway|link:[A-Za-z0-9._-]{1,64})$/,
  )
  .brand<'Subject'>()
export type Subject = z.infer<typeof Subject>

export const sensorSubject = (device: DeviceId, sensor: SensorName): Subject =>
  `sensor:${device}/${sensor}` as Subject

export const deviceSubject = (device: DeviceId): Subject => `device:${device}` as Subject
