import type { Proposal } from '../../contract/index.ts'
import { idOf, precedes, type ProposalId } from './history.ts'

/** The rules between concurrent changes, apart, so that a test can break each and see what it is for. */
export interface MergeRules {
  /** Whether what was given lives on beside this removal: only where the removal had been seen. */
  readonly outlives: (given: Proposal, removal: Proposal) => boolean
  /** Whether what is void still caps what lives beside it. */
  readonly voidCaps: boolean
  /** Whether giving is void once its author turns out to have lost the right. */
  readonly voids: boolean
}

export const MERGE_RULES: MergeRules = {
  outlives: (given, removal) => precedes(removal, given),
  voidCaps: true,
  voids: true,
}

/** What is set for one key: a role, a grant, a policy … */
interface Given<V> {
  readonly by: Proposal
  readonly value: V
}

/** All changes of one key, and what it had before them. */
export class Register<V> {
  readonly #base: V | undefined
  readonly #given: Given<V>[] = []
  readonly #removals: Proposal[] = []

  constructor(base: V | undefined) {
    this.#base = base
  }

  give(by: Proposal, value: V): void {
    this.#given.push({ by, value })
  }

  remove(by: Proposal): void {
    this.#removals.push(by)
  }

  /**
   * What holds: a gift only where every removal was known to its author; of concurrent ones the lowest; where only void
   * ones are newer, the older one, capped by them. `lowest` gets the one that holds first, then what caps it.
   */
  value(
    { outlives, voidCaps }: MergeRules,
    voided: ReadonlySet<ProposalId>,
    lowest: (values: readonly [V, ...V[]]) => V,
  ): V | undefined {
    const surviving = this.#given.filter(({ by }) => this.#removals.every((removal) => outlives(by, removal)))
    const live = surviving.filter(({ by }) => !voided.has(idOf(by)))
    const newest = live.filter(({ by }) => !live.some((other) => precedes(by, other.by)))
    const capping = surviving.filter(
      ({ by }) => voidCaps && voided.has(idOf(by)) && !newest.some((other) => precedes(by, other.by)),
    )
    const holding = newest.map(({ value }) => value)
    if (holding.length === 0 && this.#base !== undefined && this.#removals.length === 0)
      holding.push(this.#base)
    const [first, ...others] = holding
    return first === undefined ? undefined : lowest([first, ...others, ...capping.map(({ value }) => value)])
  }
}
