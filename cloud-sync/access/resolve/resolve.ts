import type { PolicyFacts, Proposal } from '../../contract/index.ts'
import { directionOf, type Objection, objectionTo, replacing } from './authorise.ts'
import { fold } from './fold.ts'
import { areConcurrent, historyOf, idOf, precedes, type ProposalId } from './history.ts'
import { type Merge, MERGE_RULES, type MergeRules } from './register.ts'

/** What became of one change. What is void was allowed where it was made, and lost against `winner`. */
export type Outcome =
  | { readonly state: 'accepted' }
  | { readonly state: 'rejected'; readonly because: Objection }
  | { readonly state: 'void'; readonly because: Objection; readonly winner: ProposalId | null }

export interface Resolution {
  readonly facts: PolicyFacts
  readonly outcomes: ReadonlyMap<ProposalId, Outcome>
}

interface Accepted {
  readonly proposal: Proposal
  readonly id: ProposalId
  readonly direction: ReturnType<typeof directionOf>
}

/**
 * What changes made apart add up to, on top of facts that all their makers had: a function of the set of changes alone,
 * whatever their order and however often each came. Used by the gateway on its own unconfirmed changes and by the cloud
 * on all.
 *
 * A change counts where its author had the right in the change's own past. What is removed stays removed unless whoever
 * gave it again had seen that. What was given is void where its author turns out to have lost the right by changes not
 * yet seen; what was taken is never given back, neither by merging nor by voiding.
 */
export function resolve(
  base: PolicyFacts,
  proposals: readonly Proposal[],
  rules: MergeRules = MERGE_RULES,
): Resolution {
  const { order, forked } = historyOf(proposals)
  const outcomes = new Map<ProposalId, Outcome>()
  for (const id of forked) outcomes.set(id, { state: 'rejected', because: 'forked' })
  const accepted: Accepted[] = []
  for (const proposal of order) {
    const past = accepted.filter((earlier) => precedes(earlier.proposal, proposal))
    const facts = merged(base, past, rules)
    const because = minded(proposal, facts, rules) ?? replacing(proposal, facts)
    const id = idOf(proposal)
    if (because === undefined) accepted.push({ proposal, id, direction: directionOf(proposal, facts) })
    outcomes.set(id, because === undefined ? { state: 'accepted' } : { state: 'rejected', because })
  }
  const voided = voidOf(base, accepted, rules)
  for (const [id, { because, winner }] of voided) outcomes.set(id, { state: 'void', because, winner })
  const changes = accepted.map(({ proposal }) => proposal)
  return { facts: fold(base, changes, mergeOf(accepted, rules, voided)), outcomes }
}

function minded(proposal: Proposal, facts: PolicyFacts, rules: MergeRules): Objection | undefined {
  const because = objectionTo(proposal, facts)
  return because === undefined || rules.minds(because) ? because : undefined
}

/** The facts after these alone. */
function merged(base: PolicyFacts, accepted: readonly Accepted[], rules: MergeRules): PolicyFacts {
  return fold(
    base,
    accepted.map(({ proposal }) => proposal),
    mergeOf(accepted, rules, voidOf(base, accepted, rules)),
  )
}

const mergeOf = (
  accepted: readonly Accepted[],
  rules: MergeRules,
  voided: ReadonlyMap<ProposalId, Loss>,
): Merge => ({
  rules,
  voided: new Set(voided.keys()),
  narrowing: new Set(accepted.filter(({ direction }) => direction === 'narrowing').map(({ id }) => id)),
})

interface Loss {
  readonly because: Objection
  readonly winner: ProposalId | null
}

/**
 * Each widening change is asked again, of what its author had seen and is not itself void, with every narrowing and
 * every transfer that the author had not seen.
 */
function voidOf(base: PolicyFacts, accepted: readonly Accepted[], rules: MergeRules): Map<ProposalId, Loss> {
  const voided = new Map<ProposalId, Loss>()
  if (!rules.voids) return voided
  for (const { proposal, id, direction } of accepted) {
    if (direction !== 'widening') continue
    const unseen = accepted.filter(
      (other) => other.direction !== 'widening' && areConcurrent(other.proposal, proposal),
    )
    const past = accepted.filter((earlier) => precedes(earlier.proposal, proposal))
    if (unseen.length === 0 && !past.some((earlier) => voided.has(earlier.id))) continue
    const asked = (with_: readonly Accepted[]): Objection | undefined => {
      const inOrder = accepted.filter((one) => past.includes(one) || with_.includes(one))
      const merge = mergeOf(accepted, rules, voided)
      const changes = inOrder.map((one) => one.proposal)
      return minded(proposal, fold(base, changes, merge), rules)
    }
    const because = asked(unseen)
    if (because === undefined) continue
    const alone = unseen.find((one) => asked([one]) !== undefined)
    const lost = past.find((earlier) => voided.has(earlier.id))
    voided.set(id, { because, winner: (alone ?? unseen[0] ?? lost)?.id ?? null })
  }
  return voided
}
