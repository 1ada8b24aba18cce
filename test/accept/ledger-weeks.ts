import { type Harness, scaled } from '../support/harness.ts'
import { MUTANTS, type Outcome, type Told, tell } from '../support/weeks/story.ts'

const SEEDS = 24
const MINUTE_MS = 60_000
const WHOLE = { weeks: 5, readEveryMs: 20 * MINUTE_MS }
const SHORT = { weeks: 3, readEveryMs: 180 * MINUTE_MS }

export const harness: Harness = {
  what: 'Weeks on a bad link, simulated: registers, ledger and statements with their adjustments agree exactly, and seeded faults are caught.',
  async run({ scale, progress }) {
    const seeds = scaled(SEEDS, scale)
    const length = scale >= 1 ? WHOLE : SHORT
    const failures: string[] = []
    const outcomes: Outcome[] = []
    for (let seed = 1; seed <= seeds; seed += 1) {
      const outcome = await tell({ seed, ...length })
      outcomes.push(outcome)
      failures.push(...faultsOf(outcome).map((fault) => `seed ${seed}: ${fault}`))
      progress(`seed ${seed} of ${seeds}: ${outcome.records} records, ${outcome.failures.length} failures`)
    }
    if (scale >= 1) failures.push(...(await unseen({ seed: 1, ...length }, outcomes, progress)))
    return { figures: { seeds, weeks: length.weeks, ...sums(outcomes) }, failures }
  },
}

/** A story in which nothing went wrong shows nothing. */
function faultsOf(outcome: Outcome): string[] {
  const trouble = ['lost', 'doubled', 'restarts', 'clockSteps', 'adjustments', 'total'] as const
  const quiet = trouble.filter((what) => outcome[what] === 0).map((what) => `${what} is 0`)
  const blind = outcome.seesDropped ? [] : ['a posting was taken away, and nobody saw it']
  return [...outcome.failures, ...quiet, ...blind]
}

/** What the harness itself fails to see: each fault that is put in, and another story told by the same seed. */
async function unseen(
  told: Told,
  [first]: readonly Outcome[],
  progress: (text: string) => void,
): Promise<string[]> {
  const missed: string[] = []
  for (const mutant of MUTANTS) {
    const { failures } = await tell({ seed: 1, ...SHORT, mutant })
    progress(`${mutant}: ${failures[0] ?? 'not seen'}`)
    if (failures.length === 0) missed.push(`nobody saw the fault "${mutant}"`)
  }
  const again = await tell(told)
  return again.head === first?.head ? missed : [...missed, 'the same seed told another story']
}

const COUNTED = [
  ...(['records', 'sensorDays', 'cellBytes', 'total', 'adjustments', 'undated', 'closings'] as const),
  ...(['sent', 'lost', 'doubled', 'restarts', 'cloudRestarts', 'clockSteps'] as const),
]

const sums = (outcomes: readonly Outcome[]): Record<string, number> =>
  Object.fromEntries(COUNTED.map((what) => [what, outcomes.reduce((sum, outcome) => sum + outcome[what], 0)]))
