import type {
  AccessChange,
  CrossPolicy,
  Grant,
  Member,
  OwnedDevice,
  OwnedGateway,
  OwnedSensor,
  OrgId,
  PartnerLink,
  PolicyFacts,
  Proposal,
  TeamHandle,
} from '../../contract/index.ts'
import { lowerLevel, lowerRole } from '../ranks.ts'
import { grantKey } from './find.ts'
import { type Merge, Register } from './register.ts'

interface TeamEntry {
  readonly org: OrgId
  readonly team: TeamHandle
  readonly member: PolicyFacts['teams'][number]['members'][number]
}

class Registers<V> {
  readonly #byKey = new Map<string, Register<V>>()
  readonly keyOf: (value: V) => string

  constructor(base: readonly V[], keyOf: (value: V) => string) {
    this.keyOf = keyOf
    for (const value of base) this.#byKey.set(keyOf(value), new Register(value))
  }

  give(by: Proposal, value: V): void {
    this.#at(this.keyOf(value)).give(by, value)
  }

  remove(by: Proposal, key: string): void {
    this.#at(key).remove(by)
  }

  values(merge: Merge, lowest: (values: readonly [V, ...V[]]) => V): V[] {
    return [...this.#byKey.values()].flatMap((register) => register.value(merge, lowest) ?? [])
  }

  #at(key: string): Register<V> {
    const register = this.#byKey.get(key) ?? new Register<V>(undefined)
    this.#byKey.set(key, register)
    return register
  }
}

const memberKey = ({ org, name }: Pick<Member, 'org' | 'name'>): string => `${org}:${name}`
const policyKey = ({ from, to }: Pick<CrossPolicy, 'from' | 'to'>): string => `${from}>${to}`
const linkKey = ({ partner, customer }: Pick<PartnerLink, 'partner' | 'customer'>): string =>
  `${partner}>${customer}`
const teamKey = (org: OrgId, team: TeamHandle, name: string): string => `${org}:${team}:${name}`
const teamEntryKey = ({ org, team, member }: TeamEntry): string => teamKey(org, team, member.name)
interface Sorted {
  readonly members: Registers<Member>
  readonly teams: Registers<TeamEntry>
  readonly policies: Registers<CrossPolicy>
  readonly links: Registers<PartnerLink>
  readonly grants: Registers<Grant>
  readonly blocked: Set<string>
  readonly suspended: Set<string>
  readonly transfers: OrgId[]
}

type Sorting<C> = (into: Sorted, by: Proposal, change: C) => void

/** What each kind of change says to which register. */
const SORTING: { readonly [K in AccessChange['kind']]: Sorting<Extract<AccessChange, { kind: K }>> } = {
  'member.set': ({ members }, by, { org, name, role, incarnation }) => {
    members.give(by, { org, name, role, incarnation, state: 'active', billing: false, custom: null })
  },
  'member.remove': ({ members }, by, change) => {
    members.remove(by, memberKey(change))
  },
  'member.suspend': ({ suspended }, _, change) => {
    suspended.add(memberKey(change))
  },
  'team.add': ({ teams }, by, { org, team, name, incarnation }) => {
    teams.give(by, { org, team, member: { name, incarnation, role: 'member' } })
  },
  'team.remove': ({ teams }, by, { org, team, name }) => {
    teams.remove(by, teamKey(org, team, name))
  },
  'policy.add': ({ policies }, by, { policy }) => {
    policies.give(by, policy)
  },
  'policy.remove': ({ policies }, by, change) => {
    policies.remove(by, policyKey(change))
  },
  'link.add': ({ links }, by, { link }) => {
    links.give(by, link)
  },
  'link.remove': ({ links }, by, change) => {
    links.remove(by, linkKey(change))
  },
  'grant.add': ({ grants }, by, { grant }) => {
    grants.give(by, grant)
  },
  'grant.remove': ({ grants }, by, change) => {
    grants.remove(by, grantKey(change))
  },
  'key.block': ({ blocked }, _, change) => {
    blocked.add(memberKey(change))
  },
  // Alerts are told by the cloud: no right depends on it.
  'alert.opt-out': () => undefined,
  transfer: ({ transfers }, _, { to }) => {
    transfers.push(to)
  },
}

/** What the facts are after these changes, all of them allowed; the changes in the order of `historyOf`. */
export function fold(base: PolicyFacts, changes: readonly Proposal[], merge: Merge): PolicyFacts {
  if (changes.length === 0) return base
  const sorted: Sorted = {
    members: new Registers(base.members, memberKey),
    teams: new Registers(teamEntries(base), teamEntryKey),
    policies: new Registers(base.policies, policyKey),
    links: new Registers(base.links, linkKey),
    grants: new Registers(base.grants, grantKey),
    blocked: new Set(),
    suspended: new Set(),
    transfers: [],
  }
  for (const by of changes) (SORTING[by.change.kind] as Sorting<AccessChange>)(sorted, by, by.change)
  const { members, teams, policies, links, grants, blocked, suspended, transfers } = sorted
  return {
    ...transferred(base, transfers),
    members: members
      .values(merge, lowestMember)
      .map((member) => withKept(base, member))
      .map((member) => (suspended.has(memberKey(member)) ? { ...member, state: 'suspended' } : member)),
    teams: withEntries(
      base,
      teams.values(merge, ([first]) => first),
    ),
    policies: policies.values(merge, lowestPolicy),
    links: links.values(merge, lowestLink),
    grants: grants.values(merge, lowestGrant),
    keys: base.keys.filter((key) => !blocked.has(memberKey(key))),
  }
}

/** A change of role keeps what else the membership has; who joins has nothing yet. */
function withKept({ members }: PolicyFacts, member: Member): Member {
  const known = members.find(({ org, name }) => org === member.org && name === member.name)
  return known?.incarnation === member.incarnation ? { ...known, role: member.role } : member
}

const lowestMember = (all: readonly [Member, ...Member[]]): Member => ({
  ...all[0],
  role: all.map(({ role }) => role).reduce(lowerRole),
})

const lowestPolicy = (all: readonly [CrossPolicy, ...CrossPolicy[]]): CrossPolicy => ({
  ...all[0],
  maxLevel: all.map(({ maxLevel }) => maxLevel).reduce(lowerLevel),
})

const lowestLink = (all: readonly [PartnerLink, ...PartnerLink[]]): PartnerLink => ({
  ...all[0],
  cap: all.map(({ cap }) => cap).reduce(lowerRole),
})

/** The lowest level, and the earliest end. */
export function lowestGrant(all: readonly [Grant, ...Grant[]]): Grant {
  const ends = Math.min(...all.map(({ expiresAt }) => expiresAt ?? Infinity))
  return {
    ...all[0],
    level: all.map(({ level }) => level).reduce(lowerLevel),
    expiresAt: ends === Infinity ? null : ends,
  }
}

const teamEntries = ({ teams }: PolicyFacts): TeamEntry[] =>
  teams.flatMap(({ org, handle, members }) => members.map((member) => ({ org, team: handle, member })))

const withEntries = ({ teams }: PolicyFacts, entries: readonly TeamEntry[]): PolicyFacts['teams'] =>
  teams.map((team) => ({
    ...team,
    members: entries
      .filter(({ org, team: handle }) => org === team.org && handle === team.handle)
      .map(({ member }) => member),
  }))

/** The gateway goes to its new owner with what its owner owned on it; a guest's devices stay the guest's. */
function transferred(base: PolicyFacts, transfers: readonly OrgId[]): PolicyFacts {
  let { owner, devices, sensors } = base
  for (const to of transfers) {
    if (owner === null) break
    const from = owner.org
    const moved = <T extends OwnedGateway | OwnedDevice | OwnedSensor>(thing: T): T =>
      thing.org === from
        ? { ...thing, org: to, ownerEpoch: thing.ownerEpoch + 1, custodian: null, workspace: null }
        : thing
    owner = moved(owner)
    devices = devices.map(moved)
    sensors = sensors.map(moved)
  }
  return { ...base, owner, devices, sensors }
}
