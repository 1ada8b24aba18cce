import type {
  ApiKeyV1,
  DeviceId,
  GatewayId,
  MemberV1,
  MemberName,
  OrgId,
  OwnedDeviceV1,
  ShareV1,
} from '../../contract/index.ts'

export interface RegisteredGateway {
  readonly id: GatewayId
  readonly org: OrgId
  /** 32 raw Ed25519 bytes, base64. */
  readonly publicKey: string
}

export type ShareOfGateway = ShareV1 & { readonly gateway: GatewayId }

/** What the policy log adds up to. */
export interface DirectoryState {
  readonly organisations: Map<OrgId, { readonly id: OrgId; readonly name: string }>
  readonly members: Map<string, MemberV1>
  /** How often a name has been a member: survives the removal. */
  readonly incarnations: Map<string, number>
  readonly keys: Map<string, ApiKeyV1>
  readonly gateways: Map<GatewayId, RegisteredGateway>
  readonly devices: Map<GatewayId, Map<DeviceId, OwnedDeviceV1>>
  /** Gateways that an organisation owns or has ever owned a device on: only these may report usage of it. */
  readonly presence: Map<OrgId, Set<GatewayId>>
  readonly shares: Map<string, ShareOfGateway>
}

export const emptyState = (): DirectoryState => ({
  organisations: new Map(),
  members: new Map(),
  incarnations: new Map(),
  keys: new Map(),
  gateways: new Map(),
  devices: new Map(),
  presence: new Map(),
  shares: new Map(),
})

export const loginOf = (org: OrgId, name: MemberName): string => `${org}:${name}`

export const deviceIn = (
  state: DirectoryState,
  gateway: GatewayId,
  device: DeviceId,
): OwnedDeviceV1 | undefined => state.devices.get(gateway)?.get(device)

export function notePresence(state: DirectoryState, org: OrgId, gateway: GatewayId): void {
  const known = state.presence.get(org) ?? new Set()
  state.presence.set(org, known.add(gateway))
}
