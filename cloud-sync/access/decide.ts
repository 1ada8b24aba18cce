import { RIGHTS } from '../contract/index.ts'
import type { Ask, Objection } from './ask.ts'
import { cellObjection } from './conditions.ts'
import type { CompiledPolicy } from './compile.ts'
import { escalation } from './escalation.ts'
import { freshnessOf } from './freshness.ts'
import { givingObjection } from './giving.ts'
import { COLUMN_OF_ROLE, RULES } from './matrix.ts'
import { pathsOf } from './paths.ts'
import { type Decision, type Question, type Refusal, REFUSALS } from './question.ts'
import { isCapped, isOwner } from './ranks.ts'
import { sharingObjection } from './sharing.ts'
import type { Path, Subject } from './subjects.ts'

/**
 * May `principal` do `action` to `resource` at this time? Pure, whatever the order of the policy's lists; whatever the
 * policy does not say is refused, and so is everything without a policy.
 */
export function decide(question: Question, policy: CompiledPolicy | undefined): Decision {
  if (policy === undefined) return refused('no-policy')
  const { principal, resource, action, about, when } = question
  const gateway = policy.isOpen ? undefined : gatewayObjection(policy, question)
  if (gateway !== undefined) return refused(gateway)
  const rule = RULES.get(action)
  const subject = policy.subjects.find(principal.org, principal.name)
  if (subject === undefined || rule === undefined) return refused('unknown-principal')
  const thing = policy.things.find(resource)
  if (thing === undefined) return refused(principalObjection(subject, question) ?? 'unknown-resource')
  if (about !== undefined) return answer({ policy, subject, thing, rule, when, about })
  const key = (subject.at * policy.things.count + thing.at) * RIGHTS.length + rule.at
  const known = policy.recall(key, when)
  if (known !== undefined) return known
  const decision = answer({ policy, subject, thing, rule, when, about: NOTHING })
  policy.remember(key, decision)
  return decision
}

/** One way that was looked at, and what stands against it; null = it allows. */
export interface LookedAt {
  readonly via: string
  readonly against: Refusal | null
}

/** What an answer is made of. */
export interface Judgement {
  readonly decision: Decision
  readonly paths: readonly LookedAt[]
}

/** The steps of an answer in their order (access.md, evaluation). */
export function judge(ask: Ask): Judgement {
  const early = principalObjection(ask.subject, ask)
  if (early !== undefined) return { decision: refused(early), paths: [] }
  const paths = pathsOf(ask)
  const fence = fenceObjection(ask, paths)
  if (fence !== undefined) return { decision: refused(fence), paths: [] }
  const judged = paths.map((path) => ({ via: path.via, against: pathObjection(ask, path) ?? null }))
  const via = judged.filter(({ against }) => against === null).map((path) => path.via)
  const reasons = judged.map(({ against }) => against).filter((against) => against !== null)
  const late =
    via.length === 0
      ? lastOf(reasons)
      : (capObjection(ask) ?? placeObjection(ask) ?? sharingObjection(ask) ?? givingObjection(ask))
  const last = late ?? (ask.rule.stepUp && ask.about.stepUp !== true ? 'step-up' : undefined)
  const keys = ask.subject.keys.map(({ name }) => `key:${name}`)
  const decision: Decision =
    last === undefined ? { allowed: true, via: [...new Set([...keys, ...via.sort()])] } : refused(last)
  return { decision, paths: judged }
}

const answer = (ask: Ask): Decision => judge(ask).decision
const NOTHING = {}

const REFUSED = new Map(REFUSALS.map((because) => [because, { allowed: false, because } as const]))
export const refused = (because: Refusal): Decision => REFUSED.get(because) ?? { allowed: false, because }

/** What came furthest says most. */
function lastOf(reasons: readonly Refusal[]): Refusal {
  const order = reasons.map((because) => REFUSALS.indexOf(because))
  return REFUSALS[Math.max(...order)] ?? 'not-granted'
}

export function gatewayObjection({ facts }: CompiledPolicy, { action }: Pick<Question, 'action'>): Objection {
  switch (facts.owner?.claim) {
    case 'unclaimed':
      return action === 'gw.claim' ? undefined : 'unclaimed'
    case 'decommissioned':
      return 'decommissioned'
    case 'disputed':
      return 'disputed'
    case 'provisional':
    case 'claimed':
    case 'releasing':
    case undefined:
      return undefined
  }
}

function principalObjection({ org, member, keys }: Subject, { when }: Pick<Question, 'when'>): Objection {
  if (org.state === 'suspended') return 'organisation-suspended'
  if (member.state === 'invited') return 'not-joined'
  if (member.state === 'suspended') return 'suspended'
  const isDead = keys.length > 0 && keys.every(({ expiresAt }) => expiresAt !== null && when.at >= expiresAt)
  return isDead ? 'key-expired' : undefined
}

/** Outside the fence there is nothing, whatever there is. */
function fenceObjection({ subject, thing, rule, policy }: Ask, paths: readonly Path[]): Objection {
  const isInside = paths.length > 0 || (subject.org.id === thing.org && subject.member.state !== 'left')
  const owner = policy.subjects.organisations.get(thing.org)
  if (!isInside || owner === undefined || !rule.on.includes(thing.kind)) return 'unknown-resource'
  if (owner.state === 'suspended') return 'organisation-suspended'
  return thing.state === 'active' ? undefined : thing.state
}

function pathObjection(ask: Ask, path: Path): Objection {
  const { when, rule } = ask
  if (path.without?.has(rule.right) === true) return 'role'
  const cell = cellObjection(ask, path.column, 'path')
  if (cell !== undefined) return cell
  if (path.cap !== null && cellObjection(ask, path.cap, 'path') !== undefined)
    return path.role === null ? 'capped-role' : 'capped-link'
  // Last, so that only what would give something is said to have ended.
  if (when.at >= path.endsAt) return 'expired'
  if (when.place === 'gateway' && when.at >= path.lapsesAt) return 'lapsed'
  return escalation(ask, path)
}

/** What the subject is takes away from what it was given. */
function capObjection(ask: Ask): Objection {
  const { member, keys, without } = ask.subject
  if (without?.has(ask.rule.right) === true) return 'capped-role'
  const live = keys.filter(({ expiresAt }) => expiresAt === null || ask.when.at < expiresAt)
  const opens = ask.rule.reads ? 'read' : 'write'
  if (live.some(({ scope }) => scope !== 'full' && (ask.rule.self || scope !== opens))) return 'capped-scope'
  if (!isCapped(member.role)) return undefined
  const cell = cellObjection(ask, COLUMN_OF_ROLE[member.role], 'cap')
  return cell === 'role' ? 'capped-role' : cell
}

/** What a gateway leaves to the cloud, or to fresher news. */
function placeObjection({ rule, when, policy, about, subject }: Ask): Objection {
  if (when.place === 'cloud') return undefined
  switch (rule.offline) {
    case 'always':
      return undefined
    case 'narrowing':
      // An owner's leave is decided in the cloud only: two could leave at once.
      return rule.right === 'self.leave' && isOwner(subject.member.role) ? 'cloud-only' : undefined
    case 'cloud':
      return 'cloud-only'
    case 'ticket':
      if (about.ticket === true) return undefined
      return freshnessOf(policy.terms, when) === 'fresh' ? undefined : 'stale'
    case 'fresh':
      return freshnessOf(policy.terms, when) === 'fresh' ? undefined : 'stale'
  }
}
