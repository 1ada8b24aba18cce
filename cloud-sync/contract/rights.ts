import { z } from 'zod'

/** Everything that can be asked; `access/matrix.ts` says who may. A released right never changes its meaning. */
export const RIGHTS = [
  'org.read',
  'org.update',
  'org.visibility',
  'crossorg.manage',
  'org.delete',
  'org.transferOwner',
  'billing.read',
  'billing.manage',
  'usage.read',
  'org.report',
  'member.list',
  'member.invite',
  'member.role',
  'member.remove',
  'self.leave',
  'team.manage',
  'link.accept',
  'link.terminate',
  'customer.create',
  'ws.create',
  'ws.update',
  'ws.delete',
  'quota.allocate',
  'gw.claim',
  'gw.release',
  'gw.transfer',
  'gateway.status',
  'device.host',
  'device.status',
  'device.config',
  'device.operate',
  'data.read',
  'data.export',
  'data.delete',
  'share.grant',
  'share.revoke',
  'share.changeOwner',
  'view.read',
  'view.edit',
  'alert.manage',
  'alert.self',
  'token.self',
  'token.revokeAny',
  'audit.read',
] as const
export const Right = z.enum(RIGHTS)
export type Right = z.infer<typeof Right>

/**
 * What a member of an organisation is. The first six are everybody's; the next three are a partner's people, who work
 * inside customers' organisations through a link; the last four are a partner's customers.
 */
export const ROLES = [
  'owner',
  'admin',
  'editor',
  'viewer',
  'member',
  'observer',
  'super-installer',
  'systems-admin',
  'installer',
  'customer-owner',
  'customer-manager',
  'customer-operator',
  'customer-viewer',
] as const
export const Role = z.enum(ROLES)
export type Role = z.infer<typeof Role>

/** What somebody is on one thing; on a workspace these are its administrator, editor and viewer. */
export const LEVELS = ['owner', 'editor', 'viewer'] as const
export const Level = z.enum(LEVELS)
export type Level = z.infer<typeof Level>

/** Whose vocabulary an organisation speaks; each renames the roles and sets a few rules (`access/presets.ts`). */
export const PRESETS = ['headgate', 'sensemetrics', 'akenza', 'iotflows', 'tagoio', 'meter.me'] as const
export const Preset = z.enum(PRESETS)
export type Preset = z.infer<typeof Preset>
