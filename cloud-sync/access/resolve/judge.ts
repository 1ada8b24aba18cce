import type { AccessChange, Grant, Member, PolicyFacts, Proposal, Shareable } from '../../contract/index.ts'
import { isOwner } from '../ranks.ts'
import { directionOf, type Objection, objectionTo } from './authorise.ts'
import { grantAt, memberOf } from './find.ts'
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
  /** False where what the author had is not known any more; then `past` is as near to it as is known. */
  readonly isKnown: boolean
}

export interface ChangeJudgement {
  readonly state: 'accepted' | 'refused' | 'void'
  /** `removed`: what was shown was taken back meanwhile. */
  readonly because: Objection | 'removed' | 'past-unknown' | null
  readonly winner: string | null
  /** Of a share: what the place is to hold now; null = nothing changes there. */
  readonly grant: Grant | null
}

/**
 * The cloud's word on one change: right by what its author had, and, where it gives something, right at every time since.
 * The same rules as `resolve`, for a cloud whose own changes are facts already. What takes away is never asked twice, and
 * neither what was void nor what came late raises anybody.
 */
export function judgeChange(
  proposal: Proposal,
  { past, since, removedBy, isKnown }: Circumstances,
): ChangeJudgement {
  const now = (since.at(-1) ?? since[0]).facts
  if (!isKnown) return judgeUnseen(proposal, { past, now })
  const outcome = resolve(past, [proposal]).outcomes.get(idOf(proposal))
  if (outcome?.state !== 'accepted') return refused(outcome?.because ?? null)
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

/**
 * Nobody can say any more whether its author had the right. What takes away had its effect on site long ago, and is not
 * undone for want of evidence; what gives is void, and caps as whatever is void does.
 */
function judgeUnseen(
  proposal: Proposal,
  { past, now }: { past: PolicyFacts; now: PolicyFacts },
): ChangeJudgement {
  const { change, author } = proposal
  const stands: ChangeJudgement = { state: 'accepted', because: null, winner: null, grant: null }
  if (change.kind === 'grant.add')
    return { ...stands, state: 'void', because: 'past-unknown', grant: cappedNow(proposal, now) }
  if (change.kind === 'grant.remove')
    return [past, now].some((facts) => isAmong(facts, change.on)) ? stands : refused('unknown-resource')
  if (change.kind === 'alert.opt-out') return stands
  const takesAway =
    change.kind === 'member.remove' || change.kind === 'member.suspend' || change.kind === 'key.block'
  return takesAway && !reachesOwner(change, author, now) ? stands : refused('cloud-only')
}

const refused = (because: ChangeJudgement['because']): ChangeJudgement => ({
  state: 'refused',
  because,
  winner: null,
  grant: null,
})

/** A workspace or an item reaches beyond the gateway: only where it had to do with this one. */
function isAmong({ workspaces, items }: PolicyFacts, on: Shareable): boolean {
  if (on.kind === 'workspace') return workspaces.some(({ id }) => id === on.workspace)
  return on.kind !== 'item' || items.some(({ id }) => id === on.item)
}

/** At a gateway nobody ends an owner's membership, and only owners block an owner's key. */
function reachesOwner(
  { kind, org, name }: Extract<AccessChange, { kind: 'member.remove' | 'member.suspend' | 'key.block' }>,
  author: Proposal['author'],
  now: PolicyFacts,
): boolean {
  const isOwners = (who: Pick<Member, 'org' | 'name'>): boolean => {
    const member = memberOf(now, who)
    return member !== undefined && isOwner(member.role)
  }
  if (kind !== 'key.block') return isOwners({ org, name })
  const bearers = now.keys.filter((key) => key.org === org && key.name === name)
  return !isOwners(author) && bearers.some(({ member }) => isOwners({ org, name: member }))
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
