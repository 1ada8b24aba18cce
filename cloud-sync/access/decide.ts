import type { MemberName, PolicySnapshotV1 } from '../contract/index.ts'
import type { Action, Decision, Principal, Resource } from './question.ts'
import { type Asker, judge, type Matter } from './rules.ts'

/**
 * May `principal` do `action` to `resource`? Pure, whatever the order of the snapshot's lists; whatever the snapshot
 * does not say is refused, and so is everything without a snapshot.
 */
export function decide({
  principal,
  action,
  resource,
  snapshot,
}: {
  readonly principal: Principal
  readonly action: Action
  readonly resource: Resource
  readonly snapshot: PolicySnapshotV1 | undefined
}): Decision {
  if (snapshot === undefined) return { allowed: false, because: 'no-policy' }
  return judge(askersIn(snapshot, principal), action, matterIn(snapshot, resource))
}

/** Everyone the name stands for: the member, and the members of keys with that name. */
function askersIn(snapshot: PolicySnapshotV1, { org, name }: Principal): Asker[] {
  if (!snapshot.organisations.some((known) => known.id === org)) return []
  const membersCalled = (wanted: MemberName): Asker[] =>
    snapshot.members
      .filter((member) => member.org === org && member.name === wanted)
      .map(({ role }) => ({ org, name: wanted, role, key: null }))
  const keys = snapshot.keys.filter((key) => key.org === org && key.name === name)
  const behindKeys = keys.flatMap(({ member }) => {
    const behind = membersCalled(member).map((asker) => ({ ...asker, key: name }))
    return behind.length > 0 ? behind : [{ org, name: member, role: null, key: name }]
  })
  return [...membersCalled(name), ...behindKeys]
}

function matterIn(snapshot: PolicySnapshotV1, resource: Resource): Matter {
  const host = snapshot.gatewayOrg
  if (resource.kind === 'gateway') return { kind: 'gateway', host, owners: [host], shares: [], sensor: null }
  const { device, kind } = resource
  const owners = snapshot.devices.filter(({ id }) => id === device).map(({ org }) => org)
  const shares = snapshot.shares.filter((share) => share.device === device)
  return { kind, host, owners, shares, sensor: kind === 'sensor' ? resource.sensor : null }
}
