import fc from 'fast-check'
import { MERGE_RULES, type MergeRules } from '../../cloud-sync/access/index.ts'
import { newTally, type Tally, violations } from '../support/access-properties.ts'
import { historyFrom, steps } from '../support/access-world.ts'
import { type Harness, scaled } from '../support/harness.ts'

const HISTORIES = 20_000
/** Each broken resolver gets as many histories before it must be found out. */
const MUTANT_HISTORIES = 4_000
const MUTANT_HISTORIES_LEAST = 1_500
const SEED = 20_261_122
/** Where the search for a mutant begins, so that the rarer ones are met soon; it goes on as long as it takes. */
const MUTANT_SEEDS: Readonly<Record<string, number>> = { 'no cap': 1, 'ranks only': 3 }

/** The resolver with one rule broken. */
export const MUTANTS: Readonly<Record<string, MergeRules>> = {
  // The later dot wins, whether or not it had seen the other.
  'last writer wins': { ...MERGE_RULES, outlives: (given, removal) => given.dot.seq > removal.dot.seq },
  'no voiding': { ...MERGE_RULES, voids: false },
  'no cap': { ...MERGE_RULES, voidCaps: false },
  // Who gives must stand above what they give, and need not have what it opens.
  'ranks only': { ...MERGE_RULES, minds: (because) => because !== 'lacking' },
}

export interface Found {
  readonly histories: number
  readonly example: string | null
}

/** Runs histories until one breaks a property; the example is shrunk where that is asked for. */
export function search(
  runs: number,
  given: {
    readonly seed: number
    readonly tally: Tally
    readonly rules?: MergeRules
    readonly shrink: boolean
  },
): Found {
  const result = fc.check(
    fc.property(steps, (all) => {
      const broken = violations(historyFrom(all), given.tally, given.rules)
      if (broken.length > 0) throw new Error(broken[0])
    }),
    { numRuns: runs, seed: given.seed, endOnFailure: !given.shrink },
  )
  const error = result.errorInstance instanceof Error ? result.errorInstance.message : 'failed'
  return { histories: result.numRuns, example: result.failed ? error : null }
}

export const harness: Harness = {
  what: 'Changes of rights made apart resolve to the same whatever their order; what was taken stays taken, and nobody gains by narrowing.',
  async run({ scale, progress }) {
    const tally = newTally()
    const runs = scaled(HISTORIES, scale)
    const failures: string[] = []
    const BATCH = 500
    let histories = 0
    for (let batch = 0; histories < runs; batch += 1) {
      const wanted = Math.min(BATCH, runs - histories)
      const found = search(wanted, { seed: SEED + batch, tally, shrink: false })
      if (found.example !== null) failures.push(found.example)
      histories += wanted
      progress(`${histories} of ${runs} histories`)
    }
    const mutants: Record<string, string> = {}
    for (const [name, rules] of Object.entries(MUTANTS)) {
      const most = scaled(MUTANT_HISTORIES, scale, MUTANT_HISTORIES_LEAST)
      const found = search(most, {
        seed: MUTANT_SEEDS[name] ?? SEED,
        tally: newTally(),
        rules,
        shrink: false,
      })
      mutants[name] = found.example === null ? 'not found' : `history ${found.histories}: ${found.example}`
      if (found.example === null) failures.push(`the mutant "${name}" was not found in ${most} histories`)
    }
    return { figures: { seed: SEED, histories, ...tally, mutants }, failures }
  },
}
