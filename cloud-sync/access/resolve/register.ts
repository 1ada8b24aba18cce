import type { Proposal } from '../../contract/index.ts'
import type { Objection } from './authorise.ts'
import { idOf, precedes, type ProposalId } from './history.ts'

/** The rules between concurrent changes, apart, so that a test can break each and see what it is for. */
export interface MergeRules {
  /** Whether what was given lives on beside this removal: only where the removal had been seen. */
  readonly outlives: (given: Proposal, removal: Proposal) => boolean
  /** Whether what is void still caps what lives beside it. */
  readonly voidCaps: boolean
  /** Whether giving is void once its author turns out to have lost the right. */
  readonly voids: boolean
  /** Whether this counts against a change. */
  readonly minds: (because: Objection) => boolean
}

export const MERGE_RULES: MergeRules = {
  outlives: (given, removal) => precedes(removal, given),
  voidCaps: true,
  voids: true,
  minds: () => true,
}

/** What is set for one key: a role, a grant, a policy … */
interface Given<V> {
  readonly by: Proposal
  readonly value: V
}

/** What is known of the changes beside their contents. */
export interface Merge {
  readonly rules: MergeRules
  readonly voided: ReadonlySet<ProposalId>
  /** Those that took something away where they were made. */
  readonly narrowing: ReadonlySet<ProposalId>
}

type Lowest<V> = (values: readonly [V, ...V[]]) => V

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
  value(merge: Merge, lowest: Lowest<V>): V | undefined {
    const surviving = this.#given.filter(({ by }) =>
      this.#removals.every((removal) => merge.rules.outlives(by, removal)),
    )
    return this.#standing(surviving, this.#removals, { merge, lowest })
  }

  /** What these gifts add up to; the base stands where none of these removals took it. */
  #standing(
    surviving: readonly Given<V>[],
    removals: readonly Proposal[],
    how: { readonly merge: Merge; readonly lowest: Lowest<V> },
  ): V | undefined {
    const { rules, voided } = how.merge
    const live = surviving.filter(({ by }) => !voided.has(idOf(by)))
    const newest = live.filter(({ by }) => !live.some((other) => precedes(by, other.by)))
    const holding: V[] = []
    const capping = surviving
      .filter(
        ({ by }) => rules.voidCaps && voided.has(idOf(by)) && !newest.some((other) => precedes(by, other.by)),
      )
      .map(({ value }) => value)
    for (const one of newest) {
      const under = this.#under(one, surviving, { removals, ...how })
      if (under === 'nothing') capping.push(one.value)
      else holding.push(under === undefined ? one.value : how.lowest([one.value, under]))
    }
    if (newest.length === 0 && this.#base !== undefined && removals.length === 0) holding.push(this.#base)
    const [first, ...others] = holding
    return first === undefined ? undefined : how.lowest([first, ...others, ...capping])
  }

  /**
   * What a narrowing gift took from, as it stands without what is void: it never gives more than that, and nothing where
   * nothing stands. Undefined where it needs no such bound.
   */
  #under(
    { by }: Given<V>,
    surviving: readonly Given<V>[],
    how: { readonly removals: readonly Proposal[]; readonly merge: Merge; readonly lowest: Lowest<V> },
  ): V | 'nothing' | undefined {
    if (!how.merge.narrowing.has(idOf(by))) return undefined
    const before = surviving.filter((one) => precedes(one.by, by))
    if (!before.some((one) => how.merge.voided.has(idOf(one.by)))) return undefined
    const removals = how.removals.filter((removal) => precedes(removal, by))
    return this.#standing(before, removals, how) ?? 'nothing'
  }
}
