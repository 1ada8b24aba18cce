import {
  type ApiKeyV1,
  type GatewayId,
  type MemberV1,
  type OrgId,
  type PolicySnapshot,
  raisedPolicy,
  type ShareV1,
} from '../../contract/index.ts'
import { type DirectoryState, loginOf, type RegisteredGateway } from './state.ts'

/** A snapshot before it has a version and a time: these are always 1 and 0. */
export type SnapshotContent = PolicySnapshot

/**
 * The least that one gateway must know: organisations that own it, own a device on it or are shown one; all members and
 * keys of those, but of an organisation that is only shown something to single members, these members. Sorted, so that
 * the same directory always gives the same bytes.
 */
export function projectFor(state: DirectoryState, gateway: RegisteredGateway): SnapshotContent {
  const devices = [...(state.devices.get(gateway.id)?.values() ?? [])]
  const shares = sharesOn(state, gateway.id)
  const whole = new Set<OrgId>([gateway.org, ...devices.map((d) => d.org)])
  for (const { to } of shares) if (to.member === null) whole.add(to.org)
  const single = new Set(shares.flatMap(({ to }) => (to.member === null ? [] : [loginOf(to.org, to.member)])))
  const orgs = new Set<OrgId>([...whole, ...shares.map((share) => share.to.org)])
  const isNeeded = (member: MemberV1): boolean =>
    whole.has(member.org) || single.has(loginOf(member.org, member.name))
  const members = [...state.members.values()].filter(isNeeded)
  const logins = new Set(members.map((member) => loginOf(member.org, member.name)))
  const keys = [...state.keys.values()].filter((key) => logins.has(loginOf(key.org, key.member)))
  // The directory's facts are of version 1.
  return raisedPolicy({
    v: 1,
    version: 1,
    issuedAt: 0,
    gateway: gateway.id,
    gatewayOrg: gateway.org,
    organisations: [...state.organisations.values()].filter(({ id }) => orgs.has(id)).sort(by((o) => o.id)),
    members: members.sort(by((m) => loginOf(m.org, m.name))),
    keys: keys.sort(by((k: ApiKeyV1) => loginOf(k.org, k.name))),
    devices: devices.sort(by((d) => d.id)),
    shares: shares.sort(by((s) => s.id)),
    critical: [],
  })
}

/** Gateways whose snapshot names this organisation. */
export function gatewaysOf(state: DirectoryState, org: OrgId): GatewayId[] {
  return [...state.gateways.values()]
    .filter(
      ({ id, org: owner }) =>
        owner === org ||
        [...(state.devices.get(id)?.values() ?? [])].some((device) => device.org === org) ||
        sharesOn(state, id).some((share) => share.to.org === org),
    )
    .map(({ id }) => id)
}

function sharesOn(state: DirectoryState, gateway: GatewayId): ShareV1[] {
  return [...state.shares.values()]
    .filter((share) => share.gateway === gateway)
    .map(({ id, device, sensor, to, level }) => ({ id, device, sensor, to, level }))
}

/** By code unit, so that it does not depend on the machine's language. */
function by<T>(name: (item: T) => string): (a: T, b: T) => number {
  return (a, b) => (name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : 0)
}
