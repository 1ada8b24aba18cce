import { networkOf } from '../../directory/index.ts'
import { ApiError } from '../problem.ts'

/** What one address may ask: many people may sit behind it. */
const ADDRESS_RATE = { perSecond: 100, burst: 500, namesMax: 10_000 }
/** What one user may ask, with all sessions and keys together. */
const USER_RATE = { perSecond: 25, burst: 200, namesMax: 10_000 }
/** Requests that a wrong sign-in counts for: whoever guesses is slowed down sooner. */
const WRONG_CREDENTIALS_COST = 10

/** How fast somebody may go on, and how much at once. */
interface Rate {
  readonly perSecond: number
  readonly burst: number
  /** Names remembered; beyond it the one that has been quiet for longest begins anew. */
  readonly namesMax: number
}

/** Requests let through, by name. */
export interface Allowance {
  /** Takes one request from a name's allowance; 0 = granted, else whole seconds until it would be. */
  take(name: string): number
  /** Takes so many away, for what was let through and should not have come. */
  fine(name: string, requests: number): void
}

/**
 * A token bucket for each name in bounded memory: whoever has the longest list of names costs no more than `namesMax`
 * entries. `elapsed` is a monotonic clock in ms.
 */
export function createAllowance({ perSecond, burst, namesMax }: Rate, elapsed: () => number): Allowance {
  const buckets = new Map<string, { level: number; at: number }>()
  const levelOf = (name: string, at: number): number => {
    const known = buckets.get(name)
    return known === undefined ? burst : Math.min(burst, known.level + ((at - known.at) / 1_000) * perSecond)
  }
  /** At the end of the map, so that its first entry is the one that has been quiet for longest. */
  const keep = (name: string, level: number, at: number): void => {
    buckets.delete(name)
    buckets.set(name, { level, at })
    const [quietest] = buckets.keys()
    if (buckets.size > namesMax && quietest !== undefined) buckets.delete(quietest)
  }
  return {
    take(name) {
      const at = elapsed()
      const level = levelOf(name, at)
      keep(name, level >= 1 ? level - 1 : level, at)
      return level >= 1 ? 0 : Math.ceil((1 - level) / perSecond)
    },
    fine(name, requests) {
      const at = elapsed()
      keep(name, Math.max(0, levelOf(name, at) - requests), at)
    },
  }
}

/** What the whole API lets through: one count for all of it, whatever is asked. */
export interface Allowances {
  /** For one request from there, before anything is looked at. @throws API_RATE_LIMITED */
  assertAddress(address: string): void
  /** For one request of somebody who is known. @throws API_RATE_LIMITED */
  assertUser(user: string): void
  /** Who comes with wrong credentials waits sooner: counts them and throws what was thrown. */
  fined(address: string, error: unknown): never
}

/** `elapsed`: monotonic clock, ms. */
export function createAllowances(elapsed: () => number): Allowances {
  const perAddress = createAllowance(ADDRESS_RATE, elapsed)
  const perUser = createAllowance(USER_RATE, elapsed)
  return {
    assertAddress(address) {
      assertWithin(perAddress, networkOf(address))
    },
    assertUser(user) {
      assertWithin(perUser, user)
    },
    fined(address, error) {
      if (error instanceof ApiError && error.status === 401)
        perAddress.fine(networkOf(address), WRONG_CREDENTIALS_COST)
      throw error
    },
  }
}

function assertWithin(allowance: Allowance, name: string): void {
  const seconds = allowance.take(name)
  if (seconds > 0)
    throw new ApiError('API_RATE_LIMITED', 'too many requests', {
      headers: { 'Retry-After': String(seconds) },
    })
}
