import type { Grant, GrantId, OrgId, PolicyFacts } from '../contract/index.ts'
import { Answers } from './answers.ts'
import { NO_TERMS, type Terms } from './freshness.ts'
import { into, once } from './lists.ts'
import type { Decision, When } from './question.ts'
import { isOwner } from './ranks.ts'
import { crossesBy, Subjects } from './subjects.ts'
import { Things } from './things.ts'

/** Facts with what limits them in time; a snapshot is both. */
export type Policy = PolicyFacts & Partial<Terms> & { readonly version?: number }

/** A policy indexed for questions. `decide` asks it; nobody changes it. */
export class CompiledPolicy {
  readonly facts: PolicyFacts
  readonly terms: Terms
  /** 0 where the facts have none. */
  readonly version: number
  /** Neither unclaimed nor disputed nor anything else that closes it. */
  readonly isOpen: boolean
  readonly things: Things
  readonly subjects: Subjects
  readonly #grants: ReadonlyMap<GrantId, Grant>
  readonly #crossings: ReadonlyMap<OrgId, readonly PolicyFacts['policies'][number][]>
  readonly #owners: ReadonlyMap<OrgId, number>
  /** Every instant at which some answer changes, ascending. */
  readonly #turns: readonly number[]
  readonly #answers = new Answers()
  /** From when to when remembered answers hold, where, and with or without signed time since the start. */
  #from = 0
  #to = 0
  #place: When['place'] = 'cloud'
  #signed = false

  constructor(policy: Policy) {
    this.facts = policy
    this.version = policy.version ?? 0
    const { issuedAt, freshUntil, hardUntil } = { ...NO_TERMS, ...policy }
    this.terms = { issuedAt, freshUntil, hardUntil }
    this.things = new Things(policy)
    this.subjects = new Subjects(policy, this.things, this.terms)
    this.#grants = new Map(once(policy.grants, ({ id }) => id).map((grant) => [grant.id, grant]))
    const crossings = new Map<OrgId, PolicyFacts['policies'][number][]>()
    for (const one of once(policy.policies, ({ id }) => id)) into(crossings, one.from, one)
    this.#crossings = crossings
    this.#owners = ownersOf(policy)
    this.#turns = turnsOf(policy, this.terms)
    this.isOpen = policy.owner === null || policy.owner.claim === 'claimed'
  }

  grant(id: GrantId): Grant | undefined {
    return this.#grants.get(id)
  }

  /** The live policies by which things of `from` reach people of `to`. */
  crossings(from: OrgId, to: OrgId): PolicyFacts['policies'] {
    return this.#crossings.get(from)?.filter((policy) => crossesBy(policy, from, to)) ?? []
  }

  /** Active owners; an organisation never has none once it had one. */
  ownersOf(org: OrgId): number {
    return this.#owners.get(org) ?? 0
  }

  /** Answers are remembered for a subject until the time passes an instant at which one could change. */
  recall(key: number, when: When): Decision | undefined {
    const { at, place } = when
    const isSame = place === this.#place && (place === 'cloud' || when.signed === this.#signed)
    if (!isSame || at < this.#from || at >= this.#to) this.#enter(when)
    return this.#answers.get(key)
  }

  remember(key: number, decision: Decision): void {
    this.#answers.set(key, decision)
  }

  #enter(when: When): void {
    const next = this.#turns.findIndex((turn) => when.at < turn)
    const index = next === -1 ? this.#turns.length : next
    this.#from = this.#turns[index - 1] ?? -Infinity
    this.#to = this.#turns[index] ?? Infinity
    this.#place = when.place
    this.#signed = isSigned(when)
    this.#answers.clear()
  }
}

/**
 * Indexes a policy in one pass; it may not be changed afterwards. An index answers as the facts do, whatever their
 * order; what they say twice in different ways counts as not said.
 */
export const compilePolicy = (policy: Policy): CompiledPolicy => new CompiledPolicy(policy)

const isSigned = (when: When): boolean => when.place === 'gateway' && when.signed

function ownersOf({ members }: PolicyFacts): Map<OrgId, number> {
  const owners = new Map<OrgId, number>()
  for (const { org, role, state } of members) {
    if (isOwner(role) && state === 'active') owners.set(org, (owners.get(org) ?? 0) + 1)
  }
  return owners
}

function turnsOf({ keys, grants, policies, links }: PolicyFacts, terms: Terms): number[] {
  const turns = new Set<number>()
  const add = (at: number | null): void => {
    if (at !== null) turns.add(at)
  }
  add(terms.freshUntil)
  add(terms.hardUntil)
  for (const { expiresAt } of [...keys, ...grants, ...links]) add(expiresAt)
  for (const { offlineTtl } of [...grants, ...policies, ...links]) {
    add(offlineTtl === null ? null : terms.issuedAt + offlineTtl)
  }
  return [...turns].sort((a, b) => a - b)
}
