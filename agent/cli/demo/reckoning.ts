/** One read that a simulated device answered, by its own log. */
export interface Answered {
  readonly device: string
  /** Counts the device's answers from 1; also the value it returned. */
  readonly counter: number
  /** Wall clock, epoch ms. */
  readonly at: number
  /** False where the answer was damaged or cut off on the wire: it may be missing. */
  readonly clean?: boolean
}

/** A counter value found somewhere downstream. */
export interface Found {
  readonly device: string
  readonly counter: number
}

/** A stretch of wall time in which a part was dead: answers in it, or shortly before, may be lost, but never doubled. */
export interface Outage {
  readonly from: number
  readonly to: number
}

const EXAMPLES_MAX = 10

/** What may be lost on a kill: one commit window, and the time it takes to commit it. */
export const WINDOW_MS = 1500

export interface Reckoning {
  readonly answered: number
  /** Answered in an outage or less than the window before one, and not stored. */
  readonly inWindow: number
  /** Should have been stored and was not, or is in the store and not in the cloud. */
  readonly lost: number
  /** In the store or in the cloud more than once. */
  readonly doubled: number
  /** In the store or in the cloud though no device ever answered it. */
  readonly invented: number
  /** The first few of each, for a person who has to look. */
  readonly examples: readonly string[]
}

const key = (found: Found): string => `${found.device}#${found.counter}`

function countOf(found: Iterable<Found>): Map<string, number> {
  const counts = new Map<string, number>()
  for (const one of found) counts.set(key(one), (counts.get(key(one)) ?? 0) + 1)
  return counts
}

/**
 * Compares the devices' own logs with the gateway's store and the cloud. The truth is outside: nothing here asks the
 * gateway what it should have.
 */
export function reckon(facts: {
  answered: readonly Answered[]
  stored: Iterable<Found>
  cloud: Iterable<Found>
  outages: readonly Outage[]
}): Reckoning {
  const stored = countOf(facts.stored)
  const cloud = countOf(facts.cloud)
  const excused = ({ at, clean }: Answered): boolean =>
    clean === false || facts.outages.some((o) => at >= o.from - WINDOW_MS && at <= o.to)
  const examples: string[] = []
  const tally = { inWindow: 0, lost: 0, doubled: 0, invented: 0 }
  const count = (what: keyof typeof tally, example: string): void => {
    tally[what] += 1
    if (what !== 'inWindow' && examples.length < EXAMPLES_MAX) examples.push(`${what}: ${example}`)
  }
  const known = new Set<string>()
  for (const answer of facts.answered) {
    const which = key(answer)
    known.add(which)
    const places = { store: stored.get(which) ?? 0, cloud: cloud.get(which) ?? 0 }
    const fate = fateOf(places, excused(answer))
    if (fate !== 'kept')
      count(fate, `${which} at ${answer.at}: ${places.store} in store, ${places.cloud} in cloud`)
  }
  for (const which of new Set([...stored.keys(), ...cloud.keys()])) {
    if (!known.has(which)) count('invented', which)
  }
  return { answered: facts.answered.length, ...tally, examples }
}

/** What became of one answer, from how often it is where. */
function fateOf(
  places: { store: number; cloud: number },
  excused: boolean,
): 'kept' | 'doubled' | 'lost' | 'inWindow' {
  if (places.store > 1 || places.cloud > 1) return 'doubled'
  if (places.store === 1) return places.cloud === 1 ? 'kept' : 'lost'
  // In the cloud and not in the store: the store dropped it after it had been acknowledged, or it was lost there.
  return excused && places.cloud === 0 ? 'inWindow' : 'lost'
}
