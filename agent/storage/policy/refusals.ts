import { POLICY_REFUSALS, type PolicyRefusal } from '../../../cloud-sync/gateway/index.ts'

/** Events told at once of one kind, and how long until one more is, ms: whatever is sent here, 144 a day and kind. */
const BURST = 5
const ONE_MORE_MS = 600_000

interface Bucket {
  left: number
  refilledAt: number
  untold: number
}

/** How many policies were refused and why, and which of the refusals become an event. */
export class PolicyRefusals {
  readonly #monoMs: () => number
  readonly #counts = Object.fromEntries(POLICY_REFUSALS.map((because) => [because, 0])) as Record<
    PolicyRefusal,
    number
  >
  readonly #buckets = new Map<PolicyRefusal, Bucket>()

  constructor(monoMs: () => number) {
    this.#monoMs = monoMs
  }

  counts(): Readonly<Record<PolicyRefusal, number>> {
    return { ...this.#counts }
  }

  /** Counts one. Answers how many went untold before it where it is to be told, undefined where it is not. */
  count(because: PolicyRefusal): number | undefined {
    this.#counts[because] += 1
    const now = this.#monoMs()
    const bucket = this.#buckets.get(because) ?? { left: BURST, refilledAt: now, untold: 0 }
    this.#buckets.set(because, bucket)
    const more = Math.floor((now - bucket.refilledAt) / ONE_MORE_MS)
    bucket.refilledAt += more * ONE_MORE_MS
    bucket.left = Math.min(BURST, bucket.left + more)
    if (bucket.left === 0) {
      bucket.untold += 1
      return undefined
    }
    bucket.left -= 1
    const { untold } = bucket
    bucket.untold = 0
    return untold
  }
}
