import type { MemberName, OrgId, RoleV1, SensorName, ShareV1 } from '../contract/index.ts'
import type { Action, Decision, Resource } from './question.ts'

/** One membership that speaks through the principal; `role` is null where the member behind a key is gone. */
export interface Asker {
  readonly org: OrgId
  readonly name: MemberName
  readonly role: RoleV1 | null
  /** The API key used, null where the member is asked about directly. */
  readonly key: MemberName | null
}

/** What is asked about, with what the snapshot says of it. */
export interface Matter {
  readonly kind: Resource['kind']
  readonly host: OrgId
  readonly owners: readonly OrgId[]
  /** Every share of the device, of other sensors too. */
  readonly shares: readonly ShareV1[]
  readonly sensor: SensorName | null
}

interface Rule {
  readonly asks: readonly Resource['kind'][]
  /** Roles in the owner's organisation that suffice. */
  readonly owner: readonly RoleV1[]
  /** Roles in the gateway's own organisation that suffice, whoever owns the device. */
  readonly host: readonly RoleV1[]
  readonly share: boolean
}

const EVERYONE: readonly RoleV1[] = ['owner', 'admin', 'member']
const LEADERS: readonly RoleV1[] = ['owner', 'admin']
const NOBODY: readonly RoleV1[] = []

/** The whole model. A share shows, it never lets anybody operate or see usage. */
const RULES: Readonly<Record<Action, Rule>> = {
  'gateway.status': { asks: ['gateway'], owner: EVERYONE, host: NOBODY, share: false },
  'device.status': { asks: ['device', 'sensor'], owner: EVERYONE, host: EVERYONE, share: true },
  'data.read': { asks: ['device', 'sensor'], owner: LEADERS, host: NOBODY, share: true },
  'device.operate': { asks: ['device', 'sensor'], owner: LEADERS, host: NOBODY, share: false },
  'usage.read': { asks: ['gateway', 'device', 'sensor'], owner: LEADERS, host: NOBODY, share: false },
}

/**
 * Applies the rule of the action. Where a name stands for several (a key called like another member) or a device for
 * several owners, each of them must allow it: a defective snapshot never gives more than its most careful reading.
 */
export function judge(askers: readonly Asker[], action: Action, matter: Matter): Decision {
  if (askers.length === 0 || askers.some(isGone)) return { allowed: false, because: 'unknown-principal' }
  const rule = RULES[action]
  if (matter.owners.length === 0 || !rule.asks.includes(matter.kind)) {
    return { allowed: false, because: 'unknown-resource' }
  }
  const via = new Set<string>()
  let because: 'role' | 'not-shared' | undefined
  for (const asker of askers) {
    if (asker.key !== null) via.add(`key:${asker.key}`)
    for (const owner of matter.owners) {
      const paths = pathsOf(asker, rule, { ...matter, owner })
      for (const path of paths) via.add(path)
      if (paths.length === 0 && because !== 'role') because = refusalOf(asker, { ...matter, owner })
    }
  }
  if (because !== undefined) return { allowed: false, because }
  return { allowed: true, via: [...via].sort() }
}

interface OneOwner extends Matter {
  readonly owner: OrgId
}

function isGone(asker: Asker): boolean {
  return asker.role === null
}

function pathsOf(asker: Asker, rule: Rule, matter: OneOwner): string[] {
  const paths: string[] = []
  const { role } = asker
  if (role === null) return paths
  if (asker.org === matter.owner && rule.owner.includes(role)) paths.push(`role:${role}`)
  if (asker.org === matter.host && rule.host.includes(role)) paths.push('host')
  if (rule.share) {
    for (const share of matter.shares) if (shows(share, asker, matter)) paths.push(`share:${share.id}`)
  }
  return paths
}

/** A share of a device shows all of it; a share of a sensor shows only that sensor, not the device around it. */
function shows(share: ShareV1, asker: Asker, matter: Matter): boolean {
  const toThem = share.to.org === asker.org && (share.to.member === null || share.to.member === asker.name)
  return toThem && (share.sensor === null || share.sensor === matter.sensor)
}

function refusalOf(asker: Asker, matter: OneOwner): 'role' | 'not-shared' {
  const known = asker.org === matter.owner || matter.shares.some((share) => shows(share, asker, matter))
  return known ? 'role' : 'not-shared'
}
