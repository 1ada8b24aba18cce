import type {
  AccessChange,
  Grant,
  Member,
  PolicyFacts,
  Proposal,
  Resource,
  Right,
} from '../../contract/index.ts'
import { CLOUD_REPLICA } from '../../contract/index.ts'
import { type CompiledPolicy, compilePolicy } from '../compile.ts'
import { decide } from '../decide.ts'
import type { About, Refusal, When } from '../question.ts'
import { compareLevels, compareRoles } from '../ranks.ts'
import { grantAt, memberOf } from './find.ts'

/** Why a change counts for nothing: what `decide` says of its author, or what is wrong with the change itself. */
export type Objection =
  | Refusal
  | 'forked'
  | 'old-epoch'
  | 'old-incarnation'
  | 'unknown-grant'
  | 'unknown-team'
  | 'exists'
  | 'not-the-author'
  | 'wrong-policy'

/** Undefined where the author may make this change as things stand. */
export function objectionTo(proposal: Proposal, facts: PolicyFacts): Objection | undefined {
  // Members only: a change is signed for its author, not for one of the author's keys.
  const compiled = compilePolicy({ ...facts, keys: [] })
  const flaw = ruleOf(proposal).flaw?.(proposal.change, proposal, compiled)
  return flaw ?? rightObjection(proposal, facts, compiled)
}

function rightObjection(
  proposal: Proposal,
  facts: PolicyFacts,
  compiled: CompiledPolicy,
): Objection | undefined {
  const { author, at, dot } = proposal
  if (memberOf(facts, author)?.incarnation !== author.incarnation) return 'unknown-principal'
  const when: When =
    dot.replica === CLOUD_REPLICA ? { place: 'cloud', at } : { place: 'gateway', at, signed: true }
  const { action, resource, about } = ruleOf(proposal).needs(proposal.change, proposal, facts)
  const decision = decide({ principal: author, action, resource, when, about }, compiled)
  return decision.allowed ? undefined : decision.because
}

/**
 * What stands against giving where something is given already, as its author saw it: it takes that one's place, and a share
 * that is lower or ends sooner takes away. Lowering is for who may end what is there; nobody shortens by giving.
 */
export function replacing(proposal: Proposal, facts: PolicyFacts): Objection | undefined {
  const { change, author, at } = proposal
  if (change.kind !== 'grant.add') return undefined
  const { grant } = change
  const known = grantAt(facts, grant)
  const lasts = known?.expiresAt ?? Infinity
  if (known === undefined || known.ownerEpoch !== grant.ownerEpoch || lasts <= at) return undefined
  if (compareLevels(grant.level, known.level) >= 0)
    return lasts > (grant.expiresAt ?? Infinity) ? 'exists' : undefined
  const removal = {
    ...proposal,
    author,
    change: { kind: 'grant.remove', on: grant.on, to: grant.to },
  } as const
  return objectionTo(removal, facts)
}

interface Needed {
  readonly action: Right
  readonly resource: Resource
  readonly about: About
}

export type Direction = 'narrowing' | 'widening' | 'transfer'
type Kind = AccessChange['kind']

interface ChangeRule<C> {
  /** What the author must have the right to. */
  needs(change: C, proposal: Proposal, facts: PolicyFacts): Needed
  /** What is wrong with the change itself. */
  flaw?(change: C, proposal: Proposal, policy: CompiledPolicy): Objection | undefined
  direction: Direction | ((change: C, facts: PolicyFacts) => Direction)
}

const ofOrg = (action: Right, org: Member['org'], about: About = {}): Needed => ({
  action,
  resource: { kind: 'org', org },
  about: { ...about, stepUp: true },
})
const narrowingIf = (isNarrower: boolean): Direction => (isNarrower ? 'narrowing' : 'widening')

/** Every kind of change: the whole of what it needs. */
const CHANGE_RULES: { readonly [K in Kind]: ChangeRule<Extract<AccessChange, { kind: K }>> } = {
  'member.set': {
    needs: ({ org, name, role }, _, facts) =>
      memberOf(facts, { org, name }) === undefined
        ? ofOrg('member.invite', org, { role })
        : ofOrg('member.role', org, { member: name, role }),
    flaw: (change, _, { facts }) => incarnationObjection(change, facts),
    direction(change, facts) {
      const known = memberOf(facts, change)
      return narrowingIf(known !== undefined && compareRoles(change.role, known.role) <= 0)
    },
  },
  'member.remove': {
    needs: ({ org, name }, { author }) =>
      org === author.org && name === author.name
        ? ofOrg('self.leave', org)
        : ofOrg('member.remove', org, { member: name }),
    flaw: (change, _, { facts }) => (memberOf(facts, change) === undefined ? 'unknown-member' : undefined),
    direction: 'narrowing',
  },
  'member.suspend': {
    needs: ({ org, name }) => ofOrg('member.remove', org, { member: name }),
    flaw: (change, _, { facts }) => (memberOf(facts, change) === undefined ? 'unknown-member' : undefined),
    direction: 'narrowing',
  },
  'team.add': {
    needs: ({ org, team }) => ofOrg('team.manage', org, { to: { kind: 'team', org, team } }),
    flaw(change, _, { facts }) {
      const isTeam = facts.teams.some(({ org, handle }) => org === change.org && handle === change.team)
      if (!isTeam) return 'unknown-team'
      return memberOf(facts, change)?.incarnation === change.incarnation ? undefined : 'old-incarnation'
    },
    direction: 'widening',
  },
  'team.remove': { needs: ({ org }) => ofOrg('team.manage', org), direction: 'narrowing' },
  'policy.add': {
    needs: ({ policy }) => ofOrg('crossorg.manage', policy.from),
    flaw: ({ policy }, _, { facts }) =>
      facts.policies.some(
        ({ from, to, id }) => id === policy.id || (from === policy.from && to === policy.to),
      )
        ? 'exists'
        : undefined,
    direction: 'widening',
  },
  'policy.remove': { needs: ({ from }) => ofOrg('crossorg.manage', from), direction: 'narrowing' },
  'link.add': {
    needs: ({ link }) => ofOrg('link.accept', link.customer),
    flaw: ({ link }, _, { facts }) =>
      facts.links.some(({ partner, customer }) => partner === link.partner && customer === link.customer)
        ? 'exists'
        : undefined,
    direction: 'widening',
  },
  'link.remove': {
    needs: ({ partner, customer }, { author }) =>
      ofOrg('link.terminate', author.org === partner ? partner : customer),
    direction: 'narrowing',
  },
  'grant.add': {
    needs: ({ grant: { on, to, level } }) => ({
      action: 'share.grant',
      resource: on,
      about: { to, level },
    }),
    flaw: ({ grant }, { author }, policy) => grantObjection(grant, author, policy),
    direction({ grant }, facts) {
      const known = grantAt(facts, grant)
      return narrowingIf(known !== undefined && isNarrower(grant, known))
    },
  },
  'grant.remove': {
    needs(change, _, facts) {
      const grant = grantAt(facts, change)?.id
      return {
        action: 'share.revoke',
        resource: change.on,
        about: grant === undefined ? {} : { grant },
      }
    },
    flaw: (change, _, { facts }) => (grantAt(facts, change) === undefined ? 'unknown-grant' : undefined),
    direction: 'narrowing',
  },
  'key.block': {
    needs({ org, name }, _, { keys }) {
      const bearer = keys.find((key) => key.org === org && key.name === name)?.member
      return ofOrg('token.revokeAny', org, bearer === undefined ? {} : { member: bearer })
    },
    direction: 'narrowing',
  },
  'alert.opt-out': {
    needs: ({ on }) => ({ action: 'alert.self', resource: on, about: {} }),
    direction: 'narrowing',
  },
  transfer: {
    needs: () => ({ action: 'gw.transfer', resource: { kind: 'gateway' }, about: {} }),
    direction: 'transfer',
  },
}

/** The rule of a kind takes the change of that kind, which the type cannot say of a table looked up. */
const ruleOf = ({ change }: Proposal): ChangeRule<AccessChange> =>
  CHANGE_RULES[change.kind] as ChangeRule<AccessChange>

/** Narrowing takes effect at once and nothing undoes it; a transfer is neither. */
export function directionOf(proposal: Proposal, facts: PolicyFacts): Direction {
  const { direction } = ruleOf(proposal)
  return typeof direction === 'string' ? direction : direction(proposal.change, facts)
}

/** A change of role keeps the incarnation; who joins takes a new one, so that nothing older wakes. */
function incarnationObjection(
  set: Extract<AccessChange, { kind: 'member.set' }>,
  facts: PolicyFacts,
): Objection | undefined {
  const known = memberOf(facts, set)
  if (known !== undefined) return known.incarnation === set.incarnation ? undefined : 'old-incarnation'
  const last = Math.max(0, ...facts.grants.map(({ to }) => incarnationIn(to, set)))
  return set.incarnation > last ? undefined : 'old-incarnation'
}

const incarnationIn = (to: Grant['to'], { org, name }: Pick<Member, 'org' | 'name'>): number =>
  to.kind === 'member' && to.org === org && to.name === name ? to.incarnation : 0

function grantObjection(
  grant: Grant,
  author: Proposal['author'],
  { facts, things }: CompiledPolicy,
): Objection | undefined {
  const { on, by, legacy, via, to, ownerEpoch } = grant
  const isAuthors =
    by?.org === author.org && by.name === author.name && by.incarnation === author.incarnation && !legacy
  if (!isAuthors) return 'not-the-author'
  const thing = things.find(on)
  if (thing === undefined) return 'unknown-resource'
  if (thing.ownerEpoch !== ownerEpoch) return 'old-epoch'
  if (to.org === thing.org) return via === null ? undefined : 'wrong-policy'
  const isRight = facts.policies.some(
    ({ id, from, to: end, state }) =>
      id === via && from === thing.org && end === to.org && state === 'active',
  )
  return isRight ? undefined : 'no-cross-policy'
}

/** What was given under an older owner is dead, and nothing takes from it. */
function isNarrower(grant: Grant, known: Grant): boolean {
  if (grant.ownerEpoch !== known.ownerEpoch) return false
  const isLonger = (grant.expiresAt ?? Infinity) > (known.expiresAt ?? Infinity)
  return compareLevels(grant.level, known.level) < 0 && !isLonger && grant.via === known.via
}
