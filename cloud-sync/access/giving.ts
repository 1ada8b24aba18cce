import type { Level, Right, Role } from '../contract/index.ts'
import type { Ask, Objection } from './ask.ts'
import {
  type Cell,
  COLUMN_OF_ROLE,
  COLUMN_ON_THING,
  COLUMN_ON_WORKSPACE,
  type Column,
  type Rule,
  RULES,
} from './matrix.ts'
import { pathsOf } from './paths.ts'
import { PRESET_PACKS } from './presets.ts'
import { compareLevels, isCapped, isOwner, roleThroughLink } from './ranks.ts'
import type { Path, Subject } from './subjects.ts'
import type { Thing } from './things.ts'

type Rights = ReadonlySet<Right>
const NOTHING: Rights = new Set()
const RULE_LIST = [...RULES.values()]

/**
 * Nobody gives what they lack: whatever a role, a level or a token opens, its giver holds there, by whatever paths. Ranks
 * say who stands above whom, and that is not enough: roles of one rank differ in their rights, links are capped, custom
 * roles take rights away.
 */
export const givingObjection = (ask: Ask): Objection => CHECKS[ask.rule.right]?.(ask)

const ofRole = (ask: Ask): Objection =>
  isFirstOwner(ask) ? undefined : lacking(ask, byRole(ask), orgOf(ask))
const ofLevel = (ask: Ask): Objection => lacking(ask, byLevel(ask))
const CHECKS: Partial<Readonly<Record<Right, (ask: Ask) => Objection>>> = {
  'member.invite': (ask) => ofRole(ask) ?? ofLevel(ask),
  'member.role': (ask) => ofRole(ask) ?? uncovered(ask) ?? ofLevel(ask),
  // Asked with a role where a suspended member comes back.
  'member.remove': ofRole,
  'share.grant': ofLevel,
  'share.changeOwner': ofLevel,
  'team.manage': teamObjection,
  'token.self': scopeObjection,
}

/** A partner gives a new customer its first owner (S4.4). */
export function isFirstOwner({ rule, about, policy, thing, subject }: Ask): boolean {
  return (
    rule.right === 'member.invite' &&
    about.role !== undefined &&
    isOwner(about.role) &&
    subject.org.id !== thing.org &&
    policy.ownersOf(thing.org) === 0
  )
}

/** A role is given in the organisation, whatever workspace its bearer is invited to. */
const orgOf = ({ policy, thing }: Ask): Thing => policy.things.find({ kind: 'org', org: thing.org }) ?? thing

function lacking(ask: Ask, given: Rights, thing: Thing = ask.thing): Objection {
  for (const right of given) if (!holds({ ...ask, thing }, right)) return 'lacking'
  return undefined
}

/** Whether the subject has the right on the thing, or on what is in it, by any path that lives. */
function holds(ask: Ask, right: Right): boolean {
  const rule = RULES.get(right)
  if (rule === undefined || !passesCaps(ask.subject, rule, ask.when.at)) return false
  return pathsOf({ ...ask, rule }).some((path) => gives(ask, path, rule))
}

/** A key opens what its scope says; observers look, whatever they were given; a custom role takes away from all of it. */
function passesCaps({ keys, member, without }: Subject, rule: Rule, at: number): boolean {
  if (without?.has(rule.right) === true) return false
  const live = keys.filter(({ expiresAt }) => expiresAt === null || at < expiresAt)
  const opens = rule.reads ? 'read' : 'write'
  if (live.some(({ scope }) => scope !== 'full' && scope !== opens)) return false
  const cell = rule.cells[COLUMN_OF_ROLE[member.role]] ?? '.'
  return !isCapped(member.role) || OPEN.has(cell) || cell === 'g'
}

function gives(ask: Ask, path: Path, rule: Rule): boolean {
  const { at, place } = ask.when
  const hasEnded = at >= path.endsAt || (place === 'gateway' && at >= path.lapsesAt)
  if (hasEnded || path.without?.has(rule.right) === true) return false
  const how = { preset: presetOf(ask), billing: ask.subject.member.billing }
  return [path.column, ...(path.cap === null ? [] : [path.cap])].every((column) => opens(rule, column, how))
}

/** Without more words about it. `L` and `^` are about whom it is done to, not about what one has. */
const OPEN: ReadonlySet<Cell> = new Set<Cell>(['Y', '^', 'L'])
interface How {
  readonly preset: string | undefined
  readonly billing: boolean
}
function opens({ cells }: Rule, column: Column, { preset, billing }: How): boolean {
  const cell = cells[column] ?? '.'
  return OPEN.has(cell) || (cell === 'B' && billing) || (cell === 'a' && preset === 'akenza')
}
const presetOf = ({ policy, thing }: Ask): string | undefined =>
  policy.subjects.organisations.get(thing.org)?.preset

const rightsOf = (columns: readonly Column[], how: How): Rights =>
  new Set(RULE_LIST.filter((rule) => columns.some((one) => opens(rule, one, how))).map(({ right }) => right))

const less = (from: Rights, taken: Rights): Rights => new Set([...from].filter((right) => !taken.has(right)))

/** What a role gives its bearer beyond what they have by their present one, and what a lifted custom role gives back. */
function byRole(ask: Ask): Rights {
  const { about, thing, policy } = ask
  if (about.role === undefined) return NOTHING
  const bearer = policy.subjects.members.find(
    ({ member }) => member.org === thing.org && member.name === about.member,
  )
  const how = { preset: presetOf(ask), billing: bearer?.member.billing ?? false }
  const of = (role: Role): Rights => rightsOf(columnsOf(ask, role), how)
  const withheld = isOwner(about.role) ? NOTHING : (bearer?.roles[0]?.without ?? NOTHING)
  const back = new Set(about.back)
  const after = new Set([...of(about.role)].filter((right) => !withheld.has(right) || back.has(right)))
  // Who was suspended, and comes back, has it all anew.
  if (bearer === undefined || ask.rule.right !== 'member.role') return after
  return less(after, less(of(bearer.member.role), bearer.roles[0]?.without ?? NOTHING))
}

/**
 * Whoever is no observer any more has again what they were given as somebody else: on what the organisation itself owns
 * that is giving. What others gave is theirs, and was theirs to give.
 */
function uncovered(ask: Ask): Objection {
  const { about, policy } = ask
  const subject = about.member === undefined ? undefined : policy.subjects.find(ask.thing.org, about.member)
  const isUncovering =
    subject !== undefined &&
    about.role !== undefined &&
    isCapped(subject.member.role) &&
    !isCapped(about.role)
  if (!isUncovering) return undefined
  for (const thing of policy.things.of(ask.thing.org)) {
    for (const rule of RULE_LIST.filter(({ on }) => on.includes(thing.kind))) {
      const theirs = { ...ask, subject, thing, rule }
      const has = pathsOf(theirs).some((path) => path.role === null && gives(theirs, path, rule))
      if (has && !holds({ ...ask, thing }, rule.right)) return 'lacking'
    }
  }
  return undefined
}

/** In a partner's organisation a role is also what its bearer is in the customers' organisations. */
function columnsOf({ policy, thing }: Ask, role: Role): Column[] {
  const isPartner = policy.subjects.organisations.get(thing.org)?.type === 'partner'
  const through = isPartner ? roleThroughLink(role) : undefined
  return [role, ...(through === undefined ? [] : [through])].map((one) => COLUMN_OF_ROLE[one])
}

/** What there is in a thing: a right that can be asked on none of it gives nothing. */
const WITHIN: Readonly<Record<Thing['kind'], readonly Thing['kind'][]>> = {
  org: ['org', 'workspace', 'gateway', 'device', 'sensor', 'item'],
  workspace: ['workspace', 'gateway', 'device', 'sensor', 'item'],
  gateway: ['gateway', 'device', 'sensor'],
  device: ['device', 'sensor'],
  sensor: ['sensor'],
  item: ['item'],
}

/** What a level gives beyond what its bearer has by a lower one. */
function byLevel(ask: Ask): Rights {
  const { about, thing, rule } = ask
  if (about.level === undefined) return NOTHING
  const after = rightsAt(ask, thing, about.level)
  if (rule.right !== 'member.role' || about.member === undefined) return after
  const before = levelOn(ask, about.member)
  return before === undefined ? after : less(after, rightsAt(ask, thing, before))
}

function rightsAt(ask: Ask, { kind }: Thing, level: Level): Rights {
  const preset = presetOf(ask)
  const columns = kind === 'workspace' ? COLUMN_ON_WORKSPACE : COLUMN_ON_THING
  const all = rightsOf([columns[level]], { preset, billing: false })
  const there = [...all].filter((right) => RULES.get(right)?.on.some((on) => WITHIN[kind].includes(on)))
  return less(new Set(there), kind === 'workspace' && preset === 'tagoio' ? OF_TEAM_MEMBERS : NOTHING)
}

/** What nobody gets in a profile (S3.19). */
const OF_TEAM_MEMBERS: Rights = (() => {
  const meaning = PRESET_PACKS.tagoio.roles['Team member']
  return new Set(meaning?.on === 'workspace' ? meaning.without : [])
})()

/** The highest level that a member of the thing's organisation has on it by a grant of their own. */
export function levelOn({ policy, thing }: Pick<Ask, 'policy' | 'thing'>, name: string): Level | undefined {
  const levels = policy.facts.grants.flatMap(({ to, on, level }) => {
    const isTheirs = to.kind === 'member' && to.org === thing.org && to.name === name
    return isTheirs && policy.things.find(on) === thing ? [level] : []
  })
  return levels.sort(compareLevels).at(-1)
}

/** Who joins a team has what the organisation gave the team; what others gave it is for its people, whoever they are. */
function teamObjection(ask: Ask): Objection {
  const { about, policy, thing: org } = ask
  if (about.to?.kind !== 'team') return undefined
  for (const { to, on, level } of policy.facts.grants) {
    const thing = policy.things.find(on)
    const isTheirs = to.kind === 'team' && to.org === about.to.org && to.team === about.to.team
    if (!isTheirs || thing?.org !== org.org) continue
    const objection = lacking(ask, rightsAt(ask, thing, level), thing)
    if (objection !== undefined) return objection
  }
  return undefined
}

/** A key makes no key that opens more than itself. */
function scopeObjection({ about, subject, when }: Ask): Objection {
  const live = subject.keys.filter(({ expiresAt }) => expiresAt === null || when.at < expiresAt)
  const isWider = live.some(
    ({ scope }) => scope !== 'full' && about.scope !== undefined && scope !== about.scope,
  )
  return isWider ? 'lacking' : undefined
}
