import type { DeviceId, MemberName, OrgId, SensorName } from '../contract/index.ts'

/** Who asks: a member or key of an organisation. */
export interface Principal {
  readonly org: OrgId
  /** Login name after the colon: a member's or an API key's. */
  readonly name: MemberName
}

export const ACTIONS = [
  'gateway.status',
  'device.status',
  'data.read',
  'device.operate',
  'usage.read',
] as const
export type Action = (typeof ACTIONS)[number]

export type Resource =
  | { readonly kind: 'gateway' }
  | { readonly kind: 'device'; readonly device: DeviceId }
  | { readonly kind: 'sensor'; readonly device: DeviceId; readonly sensor: SensorName }

/** A refusal is a value; every path that allows is named: `role:owner`, `host`, `share:ID`, after `key:NAME`. */
export type Decision =
  | { readonly allowed: true; readonly via: readonly string[] }
  | {
      readonly allowed: false
      readonly because: 'no-policy' | 'unknown-principal' | 'unknown-resource' | 'not-shared' | 'role'
    }
