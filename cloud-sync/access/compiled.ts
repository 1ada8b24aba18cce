import type { DeviceId, MemberName, OrgId, PolicySnapshotV1, RoleV1, ShareV1 } from '../contract/index.ts'
import type { Action, Decision, Principal, Resource } from './question.ts'
import { type Asker, judge, type Matter } from './rules.ts'

/** A snapshot indexed for questions at every delivery; answers as `decide` does. */
export interface CompiledPolicy {
  readonly version: number
  decide(principal: Principal, action: Action, resource: Resource): Decision
}

/** Indexes a snapshot in one pass; the snapshot may not be changed afterwards. */
export function compilePolicy(snapshot: PolicySnapshotV1): CompiledPolicy {
  const askers = askersByLogin(snapshot)
  const owners = new Map<DeviceId, OrgId[]>()
  for (const { id, org } of snapshot.devices) into(owners, id, org)
  const shares = new Map<DeviceId, ShareV1[]>()
  for (const share of snapshot.shares) into(shares, share.device, share)
  const host = snapshot.gatewayOrg
  const gateway: Matter = { kind: 'gateway', host, owners: [host], shares: [], sensor: null }
  const matterOf = (resource: Resource): Matter => {
    if (resource.kind === 'gateway') return gateway
    const { kind, device } = resource
    const sensor = kind === 'sensor' ? resource.sensor : null
    return { kind, host, owners: owners.get(device) ?? [], shares: shares.get(device) ?? [], sensor }
  }
  return {
    version: snapshot.version,
    decide: (principal, action, resource) =>
      judge(askers.get(loginOf(principal.org, principal.name)) ?? [], action, matterOf(resource)),
  }
}

function askersByLogin(snapshot: PolicySnapshotV1): Map<string, Asker[]> {
  const organisations = new Set(snapshot.organisations.map(({ id }) => id))
  const roles = new Map<string, RoleV1[]>()
  const askers = new Map<string, Asker[]>()
  for (const { org, name, role } of snapshot.members) {
    if (!organisations.has(org)) continue
    into(roles, loginOf(org, name), role)
    into(askers, loginOf(org, name), { org, name, role, key: null })
  }
  for (const { org, name, member } of snapshot.keys) {
    if (!organisations.has(org)) continue
    for (const role of roles.get(loginOf(org, member)) ?? [null]) {
      into(askers, loginOf(org, name), { org, name: member, role, key: name })
    }
  }
  return askers
}

/** Neither part can hold a colon. */
const loginOf = (org: OrgId, name: MemberName): string => `${org}:${name}`

function into<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}
