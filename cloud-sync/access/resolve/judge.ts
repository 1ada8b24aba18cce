import type { Grant, PolicyFacts, Proposal } from '../../contract/index.ts'
import { directionOf, type Objection, objectionTo } from './authorise.ts'
import { grantAt } from './find.ts'
import { lowestGrant } from './fold.ts'
import { idOf } from './history.ts'
import { resolve } from './resolve.ts'

/** How things stood at some time after the change was made, and what made them so: an entry of the cloud's log. */
export interface Stand {
  readonly facts: PolicyFacts
  readonly by: string | null
}

/** What there is to judge one gateway's change by. */
export interface Circumstances {
  /** What its author had: the policy in force there, with the gateway's own earlier changes. */
  readonly past: PolicyFacts
  /** Since then, oldest first, the present last. */
  readonly since: readonly [...Stand[], Stand]
  /** What ended a share of the same thing with the same grantee, unseen by the author. */
  readonly removedBy: string | null
}

export interface ChangeJudgement {
  readonly state: 'accepted' | 'refused' | 'void'
  /** `removed`: what was shown was taken back meanwhile. */
  readonly because: Objection | 'removed' | null
  readonly winner: string | null
  /** Of a share: what the place is to hold now; null = nothing changes there. */
  readonly grant: Grant | null
}

/**
 * The cloud's word on one change: right by what its author had, and, where it gives something, right at every time since.
 * The same rules as `resolve`, for a cloud whose own changes are facts already. What takes away is never asked twice, and
 * neither what was void nor what came late raises anybody.
 */
export function judgeChange(proposal: Proposal, { past, since, removedBy }: Circumstances): ChangeJudgement {
  const outcome = resolve(past, [proposal]).outcomes.get(idOf(proposal))
  if (outcome?.state !== 'accepted')
    return { state: 'refused', because: outcome?.because ?? null, winner: null, grant: null }
  const now = (since.at(-1) ?? since[0]).facts
  const isNarrowing = directionOf(proposal, past) === 'narrowing'
  if (isNarrowing) {
    const grant = removedBy === null ? heldNow(proposal, { past, now, revives: false }) : null
    return { state: 'accepted', because: null, winner: null, grant }
  }
  if (removedBy !== null) return { state: 'void', because: 'removed', winner: removedBy, grant: null }
  for (const { facts, by } of since) {
    const because = objectionTo(proposal, facts)
    if (because !== undefined) return { state: 'void', because, winner: by, grant: cappedNow(proposal, now) }
  }
  const grant = heldNow(proposal, { past, now, revives: true })
  return { state: 'accepted', because: null, winner: null, grant }
}

/** It takes the place of what its author had seen; beside anything else the lowest holds (rule 3). */
function heldNow(
  { change }: Proposal,
  { past, now, revives }: { past: PolicyFacts; now: PolicyFacts; revives: boolean },
): Grant | null {
  if (change.kind !== 'grant.add') return null
  const { grant } = change
  const present = grantAt(now, grant)
  if (present === undefined) return revives ? grant : null
  const seen = grantAt(past, grant)
  const isSeen =
    seen?.id === present.id && seen.level === present.level && seen.expiresAt === present.expiresAt
  return isSeen ? { ...grant, id: present.id } : lowestGrant([present, grant])
}

/** Void, it still caps what is there (rule 5): by its author's fall nobody rises. */
function cappedNow({ change }: Proposal, now: PolicyFacts): Grant | null {
  if (change.kind !== 'grant.add') return null
  const present = grantAt(now, change.grant)
  return present === undefined ? null : lowestGrant([present, change.grant])
}
