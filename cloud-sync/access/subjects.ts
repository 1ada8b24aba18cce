import {
  type ApiKey,
  type CrossPolicy,
  type CustomRole,
  type Grant,
  type Grantee,
  type Level,
  type Member,
  type MemberName,
  type OrgId,
  type Organisation,
  type PartnerLink,
  type PolicyFacts,
  type Right,
  RIGHTS,
  type Role,
  type RoleId,
  type Team,
} from '../contract/index.ts'
import { lapsesAt, type Terms } from './freshness.ts'
import { grouped, into, once } from './lists.ts'
import { COLUMN_OF_ROLE, COLUMN_ON_THING, COLUMN_ON_WORKSPACE, type Column } from './matrix.ts'
import { levelOfRole, lowerLevel, roleThroughLink } from './ranks.ts'
import type { Thing, Things } from './things.ts'

/** One way by which somebody may have rights on something. */
export interface Path {
  /** As decisions name it. */
  readonly via: string
  readonly column: Column
  /** The most that can be given away by it. */
  readonly level: Level
  /** Null where it is a grant. */
  readonly role: Role | null
  readonly grant: Grant | null
  readonly without: ReadonlySet<Right> | null
  /** A link's cap, or what nobody of a customer's goes beyond. */
  readonly cap: Column | null
  /** Policy time from which it gives nothing, and the same at a gateway for want of news. */
  readonly endsAt: number
  readonly lapsesAt: number
}

export type Granted = ReadonlyMap<Thing, readonly Path[]>

/** A login: a membership, or a key that speaks for one. */
export interface Subject {
  /** Its place in the list of all, to remember answers by. */
  readonly at: number
  readonly member: Member
  readonly org: Organisation
  /** Every key of that name; each must open. */
  readonly keys: readonly ApiKey[]
  /** By role in the own organisation. */
  readonly roles: readonly Path[]
  /** What the custom role takes away, whatever else somebody is or was given; null = they bear none. */
  readonly without: ReadonlySet<Right> | null
  /** By links, for each customer. */
  readonly links: ReadonlyMap<OrgId, readonly Path[]>
  /** To this member, to its teams, to everybody of its organisation. */
  readonly granted: readonly Granted[]
}

type Names = ReadonlyMap<MemberName, Subject>

/** Everyone that a policy knows, by login. A member's name is the member; one that keys of two give is nobody. */
export class Subjects {
  readonly #byOrg = new Map<OrgId, Names>()
  /** Asked for last, and mostly again: a delivery goes through the people of one organisation after another. */
  #asked: OrgId | undefined
  #names: Names | undefined
  /** Members alone, once each. */
  readonly members: readonly Subject[]
  readonly organisations: ReadonlyMap<OrgId, Organisation>

  constructor(facts: PolicyFacts, things: Things, terms: Terms) {
    this.organisations = new Map(once(facts.organisations, (o) => o.id).map((org) => [org.id, org]))
    const roles = new Map(once(facts.roles, roleKey).map((role) => [roleKey(role), new Set(role.without)]))
    const links = grouped(facts.links, ({ partner }) => partner)
    let count = 0
    const next = (): number => count++
    const members = once(facts.members, loginOf).flatMap((member): Growing[] => {
      const org = this.organisations.get(member.org)
      if (org === undefined) return []
      const without = withoutOf(roles, member.org, member.custom)
      const linked = linkPaths(member.role, { links: links.get(member.org) ?? [], terms, without })
      const own = {
        at: next(),
        member,
        org,
        keys: [],
        roles: rolePaths(member.role, org, without),
        links: linked,
      }
      return [{ ...own, without, granted: [] }]
    })
    attachGrants(facts, { things, terms, subjects: members, roles })
    this.members = members
    const membersOf = grouped(members, ({ org }) => org.id)
    const keysOf = grouped(facts.keys, ({ org }) => org)
    const namesOf = grouped(facts.members, ({ org }) => org)
    for (const [id, own] of membersOf) {
      const names = new Set((namesOf.get(id) ?? []).map(({ name }) => name))
      this.#byOrg.set(id, withKeys(own, { keys: keysOf.get(id) ?? [], names, next }))
    }
  }

  find(org: OrgId, name: MemberName): Subject | undefined {
    if (org !== this.#asked) {
      this.#asked = org
      this.#names = this.#byOrg.get(org)
    }
    return this.#names?.get(name)
  }
}

type Growing = Subject & { readonly granted: Granted[] }

const loginOf = ({ org, name }: Pick<Member, 'org' | 'name'>): string => `${org}:${name}`

function rolePath(via: string, role: Role, without: Path['without']): Path {
  const level = levelOfRole(role)
  const column = COLUMN_OF_ROLE[role]
  return { via, column, level, role, grant: null, without, cap: null, endsAt: Infinity, lapsesAt: Infinity }
}

/** A partner's leaders are its first installers too: nobody else could be, at the start. */
function rolePaths(role: Role, org: Organisation, without: Path['without']): Path[] {
  const paths = [rolePath(`role:${role}`, role, without)]
  const installs = org.type === 'partner' ? roleThroughLink(role) : undefined
  if (installs !== undefined && installs !== role) paths.push(rolePath(`role:${role}`, installs, without))
  return paths
}

function linkPaths(
  ownRole: Role,
  known: { readonly links: readonly PartnerLink[]; readonly terms: Terms; readonly without: Path['without'] },
): Map<OrgId, Path[]> {
  const paths = new Map<OrgId, Path[]>()
  const role = roleThroughLink(ownRole)
  if (role === undefined) return paths
  for (const { id, state, customer, cap, expiresAt, offlineTtl } of known.links) {
    if (state !== 'active') continue
    into(paths, customer, {
      ...rolePath(`link:${id}/${role}`, role, known.without),
      cap: COLUMN_OF_ROLE[cap],
      endsAt: expiresAt ?? Infinity,
      lapsesAt: lapsesAt(known.terms, offlineTtl),
    })
  }
  return paths
}

/**
 * A dead key opens nothing. A member's name is that member's alone: whoever else's key is called so stands for nobody and
 * in nobody's way. A name that stands for two members by keys alone, dead or alive, stands for none.
 */
function withKeys(
  members: readonly Subject[],
  known: {
    readonly keys: readonly ApiKey[]
    readonly names: ReadonlySet<MemberName>
    readonly next: () => number
  },
): Names {
  const subjects = new Map(members.map((subject) => [subject.member.name, subject]))
  const found = new Map(subjects)
  for (const [name, named] of grouped(known.keys, (key) => key.name)) {
    const keys = known.names.has(name) ? named.filter(({ member }) => member === name) : named
    const behind = new Set(known.names.has(name) ? [name] : keys.map((key) => key.member))
    const [only, ...others] = behind
    const subject = only === undefined || others.length > 0 ? undefined : subjects.get(only)
    const live = keys.filter(({ incarnation }) => incarnation === subject?.member.incarnation)
    if (subject === undefined) found.delete(name)
    else if (live.length > 0) found.set(name, { ...subject, at: known.next(), keys: live })
  }
  return found
}

interface Known {
  readonly things: Things
  readonly terms: Terms
  readonly subjects: readonly Growing[]
  readonly roles: ReadonlyMap<string, ReadonlySet<Right>>
}

/** Each grantee's grants are listed once and shared by all that are in it. */
function attachGrants(facts: PolicyFacts, known: Known): void {
  const { subjects } = known
  const byLogin = new Map(subjects.map((subject) => [loginOf(subject.member), subject]))
  const teams = new Map(once(facts.teams, teamKey).map((team) => [teamKey(team), team]))
  const named = (org: OrgId, who: Pick<Member, 'name' | 'incarnation'>): Growing[] => {
    const subject = byLogin.get(loginOf({ org, name: who.name }))
    return subject?.member.incarnation === who.incarnation ? [subject] : []
  }
  for (const { to, list } of listsOf(facts, known)) {
    for (const subject of receivers(to)) subject.granted.push(list)
  }
  function receivers(to: Grantee): Growing[] {
    switch (to.kind) {
      case 'member':
        return named(to.org, to)
      case 'org':
        return subjects.filter(({ org }) => org.id === to.org)
      case 'team':
        return (
          teams
            .get(teamKey({ org: to.org, handle: to.team }))
            ?.members.flatMap((one) => named(to.org, one)) ?? []
        )
    }
  }
}

const teamKey = ({ org, handle }: Pick<Team, 'org' | 'handle'>): string => `${org}:${handle}`

interface Listed {
  readonly to: Grantee
  readonly list: Map<Thing, Path[]>
}

/** What gives something to somebody, by grantee and thing. */
function listsOf(facts: PolicyFacts, { things, terms, roles }: Known): Iterable<Listed> {
  const policies = new Map(once(facts.policies, (p) => p.id).map((policy) => [policy.id, policy]))
  const lists = new Map<string, Listed>()
  for (const grant of facts.grants) {
    const thing = things.find(grant.on)
    const path = thing && grantPath(grant, { thing, terms, policies, roles })
    if (path === undefined) continue
    const key = granteeKey(grant.to)
    const listed = lists.get(key) ?? { to: grant.to, list: new Map<Thing, Path[]>() }
    lists.set(key, listed)
    into(listed.list, thing, path)
  }
  return lists.values()
}

/** One text for each grantee; a member's holds the incarnation, so that a grant to an earlier one reaches nobody. */
export function granteeKey(to: Grantee): string {
  switch (to.kind) {
    case 'member':
      return `member ${to.org}:${to.name}/${to.incarnation}`
    case 'team':
      return `team ${to.org}:${to.team}`
    case 'org':
      return `org ${to.org}`
  }
}

/** Undefined where it gives nothing to anybody: of an older owner, or without a live policy to cross by. */
function grantPath(
  grant: Grant,
  known: {
    readonly thing: Thing
    readonly terms: Terms
    readonly policies: ReadonlyMap<string, CrossPolicy>
    readonly roles: ReadonlyMap<string, ReadonlySet<Right>>
  },
): Path | undefined {
  const { thing } = known
  if (grant.ownerEpoch !== thing.ownerEpoch) return undefined
  const crosses = grant.to.org !== thing.org
  const policy = grant.via === null ? undefined : known.policies.get(grant.via)
  if (crosses && !grant.legacy && !crossesBy(policy, thing.org, grant.to.org)) return undefined
  const level = policy === undefined ? grant.level : lowerLevel(grant.level, policy.maxLevel)
  return {
    via: viaOf(grant),
    column: (thing.kind === 'workspace' ? COLUMN_ON_WORKSPACE : COLUMN_ON_THING)[level],
    level,
    role: null,
    grant,
    without: withoutOf(known.roles, thing.org, grant.custom),
    cap: null,
    endsAt: grant.expiresAt ?? Infinity,
    lapsesAt: crosses || grant.legacy ? grantLapsesAt(known.terms, grant, policy) : Infinity,
  }
}

const grantLapsesAt = (terms: Terms, { offlineTtl }: Grant, policy: CrossPolicy | undefined): number =>
  lapsesAt(terms, offlineTtl, policy?.offlineTtl ?? null)

/** Whether things of `from` may be shared with people of `to` by this policy. */
export const crossesBy = (policy: CrossPolicy | undefined, from: OrgId, to: OrgId): boolean =>
  policy?.state === 'active' && policy.from === from && policy.to === to

function viaOf({ id, to }: Grant): string {
  switch (to.kind) {
    case 'member':
      return `grant:${id}`
    case 'team':
      return `team:${to.team}/grant:${id}`
    case 'org':
      return `org/grant:${id}`
  }
}

const roleKey = ({ org, id }: Pick<CustomRole, 'org' | 'id'>): string => `${org}:${id}`

/** A role that is not there takes everything away: what was meant to narrow never widens. */
function withoutOf(
  roles: ReadonlyMap<string, ReadonlySet<Right>>,
  org: OrgId,
  id: RoleId | null,
): ReadonlySet<Right> | null {
  return id === null ? null : (roles.get(roleKey({ org, id })) ?? EVERYTHING)
}
const EVERYTHING: ReadonlySet<Right> = new Set(RIGHTS)
