import type { MergeRules, Resolution } from '../../cloud-sync/access/index.ts'
import {
  type AccessChange,
  type Author,
  type Grant,
  LEVELS,
  type PolicyFacts,
  type Proposal,
} from '../../cloud-sync/contract/index.ts'
import { accessIn, ownerOf, rightsIn } from './access-sight.ts'
import { BASE, resolved } from './access-world.ts'

const NARROWING = [
  'member.remove',
  'team.remove',
  'policy.remove',
  'link.remove',
  'grant.remove',
  'key.block',
]
const GIVING = ['grant.add', 'member.set', 'team.add']
const RANKS = ['observer', 'member', 'viewer', 'editor', 'admin', 'owner']

export interface Tally {
  proposals: number
  accepted: number
  rejected: number
  voided: number
  /** How often each property was put to a test that it could have failed. */
  readonly checks: Record<string, number>
}
export const newTally = (): Tally => ({ proposals: 0, accepted: 0, rejected: 0, voided: 0, checks: {} })

const idOf = ({ dot }: Proposal): string => `${dot.replica}:${dot.seq}`
const saw = (later: Proposal, earlier: Proposal): boolean =>
  later !== earlier && (later.seen[earlier.dot.replica] ?? 0) >= earlier.dot.seq

/** The same history in another order, with some of it twice; by a fixed rule, so that a failure can be repeated. */
function shuffled(history: readonly Proposal[], salt: number): Proposal[] {
  const mixed = (proposal: Proposal): number =>
    Math.imul(proposal.dot.seq * 31 + proposal.dot.replica.length * 17 + salt, 0x9e37_79b1) >>> 0
  return history.toSorted((a, b) => mixed(a) - mixed(b))
}

/** What the history does that it must not; each line begins with the property's name. */
export function violations(history: readonly Proposal[], tally: Tally, rules?: MergeRules): string[] {
  const resolution = resolved(history, rules)
  count(tally, history, resolution)
  const found: string[] = []
  const note = (property: string, broken: boolean, detail: string): void => {
    tally.checks[property] = (tally.checks[property] ?? 0) + 1
    if (broken) found.push(`${property}: ${detail}`)
  }
  const same = (other: readonly Proposal[]): boolean => textOf(resolved(other, rules)) === textOf(resolution)
  note('arrival order', !same(shuffled(history, 1)) || !same(history.toReversed()), '')
  note('duplicates', !same([...history, ...shuffled(history, 2).slice(0, 8)]), '')
  const accepted = history.filter((one) => resolution.outcomes.get(idOf(one))?.state === 'accepted')
  for (const removal of accepted) {
    revokeWins(removal, { accepted, facts: resolution.facts, note })
    narrowingOnlyNarrows(removal, { history, rules, note })
  }
  for (const giving of accepted.filter(({ change }) => GIVING.includes(change.kind))) {
    onlyWhatOneHas(giving, { history, rules, note })
  }
  accessIsFounded(resolution.facts, note)
  grantsHold(accepted, { facts: resolution.facts, note, lowered: (one) => isLowering(one, history, rules) })
  return found
}

type Note = (property: string, broken: boolean, detail: string) => void

const textOf = ({ facts, outcomes }: Resolution): string =>
  JSON.stringify([facts, [...outcomes].sort(([a], [b]) => (a < b ? -1 : 1))])

function count(tally: Tally, history: readonly Proposal[], { outcomes }: Resolution): void {
  tally.proposals += history.length
  for (const { state } of outcomes.values()) {
    if (state === 'accepted') tally.accepted += 1
    else if (state === 'rejected') tally.rejected += 1
    else tally.voided += 1
  }
}

interface Seen {
  readonly accepted: readonly Proposal[]
  readonly facts: PolicyFacts
  readonly note: Note
}

/** What was taken away is there only if somebody who knew of that gave it again. */
function revokeWins(removal: Proposal, { accepted, facts, note }: Seen): void {
  const { change } = removal
  const since = accepted.filter((one) => saw(one, removal)).map((one) => one.change)
  const must = (isThere: boolean, isAgain: (given: AccessChange) => boolean): void => {
    const broken = isThere && !since.some(isAgain)
    note('a concurrent revoke wins', broken, `${change.kind} ${idOf(removal)} was undone`)
  }
  if (change.kind === 'grant.remove') {
    const key = JSON.stringify([change.on, change.to])
    const live = facts.grants.find(({ on, to }) => JSON.stringify([on, to]) === key)
    must(live !== undefined, (given) => given.kind === 'grant.add' && given.grant.id === live?.id)
  }
  if (change.kind === 'member.remove') {
    const isTheirs = ({ org, name }: Pick<Author, 'org' | 'name'>): boolean =>
      org === change.org && name === change.name
    const live = facts.members.find(isTheirs)
    must(
      live !== undefined,
      (given) => given.kind === 'member.set' && isTheirs(given) && given.incarnation === live?.incarnation,
    )
  }
  if (change.kind === 'policy.remove') {
    const live = facts.policies.find(({ from, to }) => from === change.from && to === change.to)
    must(live !== undefined, (given) => given.kind === 'policy.add' && given.policy.id === live?.id)
  }
  if (change.kind === 'link.remove') {
    const live = facts.links.find((l) => l.partner === change.partner && l.customer === change.customer)
    must(live !== undefined, (given) => given.kind === 'link.add' && given.link.id === live?.id)
  }
  if (change.kind === 'team.remove') {
    const team = facts.teams.find(({ org, handle }) => org === change.org && handle === change.team)
    const isIn = team?.members.some(({ name }) => name === change.name) ?? false
    must(isIn, (given) => given.kind === 'team.add' && given.name === change.name)
  }
}

interface Around {
  readonly history: readonly Proposal[]
  readonly rules: MergeRules | undefined
  readonly note: Note
}

/** Without this change and all that followed from it, nobody has less. */
function narrowingOnlyNarrows(one: Proposal, { history, rules, note }: Around): void {
  const narrows =
    NARROWING.includes(one.change.kind) || isDemotion(one, history, rules) || isLowering(one, history, rules)
  if (!narrows) return
  const apart = history.filter((other) => !saw(other, one))
  const before = accessIn(
    resolved(
      apart.filter((other) => other !== one),
      rules,
    ).facts,
  ).texts
  const widened = [...accessIn(resolved(apart, rules).facts).texts].find((text) => !before.has(text))
  note(
    'narrowing never widens',
    widened !== undefined,
    `${one.change.kind} ${idOf(one)} gave ${widened ?? ''}`,
  )
}

/**
 * As its author saw it, a change opens to nobody what its author could not do: asked of all rights on all things. Who is in
 * an organisation or a team, and as what, is that organisation's; what others gave its people is theirs to give.
 */
function onlyWhatOneHas(one: Proposal, { history, rules, note }: Around): void {
  const past = history.filter((other) => saw(one, other))
  const [before, after] = [resolved(past, rules).facts, resolved([...past, one], rules).facts]
  const [had, has] = [rightsIn(before), rightsIn(after, 'org' in one.change ? one.change.org : undefined)]
  for (const taker of takersOf(one.change, after)) {
    const given = has.of(taker).filter((right) => !had.has(taker, right))
    const lacked = given.find((right) => !had.has(one.author, right))
    const detail = `${one.author.org}:${one.author.name} gave ${taker.org}:${taker.name} ${lacked ?? ''} by ${JSON.stringify(one.change)}`
    note('nobody gives what they lack', lacked !== undefined, detail)
  }
}

function takersOf(change: AccessChange, facts: PolicyFacts): readonly Pick<Author, 'org' | 'name'>[] {
  if (change.kind === 'member.set' || change.kind === 'team.add') return [change]
  if (change.kind !== 'grant.add') return []
  const { to } = change.grant
  if (to.kind === 'member') return [to]
  if (to.kind === 'org') return facts.members.filter(({ org }) => org === to.org)
  const team = facts.teams.find(({ org, handle }) => org === to.org && handle === to.team)
  return (team?.members ?? []).map(({ name }) => ({ org: to.org, name }))
}

function isDemotion(one: Proposal, history: readonly Proposal[], rules?: MergeRules): boolean {
  const { change } = one
  if (change.kind !== 'member.set') return false
  const past = history.filter((other) => saw(one, other))
  const known = resolved(past, rules).facts.members.find(
    ({ org, name }) => org === change.org && name === change.name,
  )
  return known !== undefined && RANKS.indexOf(change.role) < RANKS.indexOf(known.role)
}

/** To give less than there was takes something away: that stands, whoever did it. */
function isLowering({ change, ...one }: Proposal, history: readonly Proposal[], rules?: MergeRules): boolean {
  if (change.kind !== 'grant.add') return false
  const { facts } = resolved(
    history.filter((other) => saw({ change, ...one }, other)),
    rules,
  )
  const key = JSON.stringify([change.grant.on, change.grant.to])
  const known = facts.grants.find(({ on, to }) => JSON.stringify([on, to]) === key)
  if (known === undefined || known.via !== change.grant.via) return false
  if (known.ownerEpoch !== change.grant.ownerEpoch) return false
  const isLonger = (change.grant.expiresAt ?? Infinity) > (known.expiresAt ?? Infinity)
  return !isLonger && LEVELS.indexOf(change.grant.level) > LEVELS.indexOf(known.level)
}

/** Written down again from access.md, without asking the decision's own code. */
function accessIsFounded(facts: PolicyFacts, note: Note): void {
  for (const { org, name, on, decision } of accessIn(facts).all) {
    if (on.kind === 'org' || !decision.allowed) continue
    const owner = ownerOf(facts, on)
    const detail = `${org}:${name} has ${JSON.stringify(on)} via ${decision.via.join(' ')}`
    const grants = decision.via.flatMap((via) => {
      const id = /grant:(.*)$/.exec(via)?.[1]
      return facts.grants.filter((grant) => grant.id === id)
    })
    if (org !== owner?.org) {
      const byPolicy = facts.policies.some(({ from, to }) => from === owner?.org && to === org)
      const byLink = facts.links.some(({ partner, customer }) => partner === org && customer === owner?.org)
      const byLegacy = grants.some(({ legacy }) => legacy)
      note(
        'no crossing without a live policy, link or legacy grant',
        !byPolicy && !byLink && !byLegacy,
        detail,
      )
    }
    for (const grant of grants) {
      note('nothing of an older epoch', grant.ownerEpoch !== ownerOf(facts, grant.on)?.ownerEpoch, detail)
    }
  }
  for (const { id } of BASE.organisations.filter(({ type }) => type !== 'partner')) {
    note(
      'no organisation without an owner',
      !facts.members.some((m) => m.org === id && m.role === 'owner'),
      id,
    )
  }
}

/** A grant lives only if its author was not removed beside it, and from a gateway only to look. */
function grantsHold(
  accepted: readonly Proposal[],
  { facts, note, lowered }: Omit<Seen, 'accepted'> & { lowered: (one: Proposal) => boolean },
): void {
  const live = new Map<string, Grant>(facts.grants.map((grant) => [grant.id, grant]))
  for (const one of accepted) {
    const grant = one.change.kind === 'grant.add' ? live.get(one.change.grant.id) : undefined
    if (grant === undefined) continue
    note('a gateway shows, no more', one.dot.replica !== 'cloud' && grant.level !== 'viewer', grant.id)
    for (const { change, ...removal } of accepted) {
      if (change.kind !== 'member.remove') continue
      const isAuthor = change.org === one.author.org && change.name === one.author.name
      const apart = !saw(one, { change, ...removal }) && !saw({ change, ...removal }, one)
      if (isAuthor && apart) note('who was removed beside it gave nothing', !lowered(one), grant.id)
    }
  }
}
