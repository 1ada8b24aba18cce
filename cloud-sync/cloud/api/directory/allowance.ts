/** How fast somebody may go on, and how much at once. */
interface Rate {
  readonly perSecond: number
  readonly burst: number
  /** Names remembered; beyond it the one that has been quiet for longest begins anew. */
  readonly namesMax: number
}

/** Requests let through, by name. */
export interface Allowance {
  /** Takes so many requests from a name's allowance; 0 = granted, else whole seconds until it would be. */
  take(name: string, requests?: number): number
}

/**
 * A token bucket for each name in bounded memory: whoever has the longest list of names costs no more than `namesMax`
 * entries. `elapsed` is a monotonic clock in ms.
 */
export function createAllowance({ perSecond, burst, namesMax }: Rate, elapsed: () => number): Allowance {
  const buckets = new Map<string, { level: number; at: number }>()
  return {
    take(name, requests = 1) {
      const at = elapsed()
      const known = buckets.get(name)
      const filled =
        known === undefined ? burst : Math.min(burst, known.level + ((at - known.at) / 1_000) * perSecond)
      const granted = filled >= requests
      buckets.delete(name)
      buckets.set(name, { level: granted ? filled - requests : filled, at })
      if (buckets.size > namesMax) for (const oldest of buckets.keys()) if (buckets.delete(oldest)) break
      return granted ? 0 : Math.ceil((Math.min(requests, burst) - filled) / perSecond)
    },
  }
}
