import { refuse } from '../errors.ts'
import type { DirectoryWorld } from '../kernel/write.ts'
import { isPassword } from './passwords.ts'

/** Wrong passwords for one user, and tries from one address, in a window. */
const WINDOW_MS = 15 * 60_000
const BACK_OFF_MS_MAX = 24 * 3_600_000
/** Longer than the longest window, so that waiting for its end alone does not win back the short one. */
const FORGOTTEN_MS = 2 * BACK_OFF_MS_MAX
const TRIES_A_USER_MAX = 10
/** Of one user from all addresses from which they have not signed in lately: many addresses guess no faster. */
const TRIES_FROM_STRANGERS_MAX = 200
/** So long an address counts as the user's own after a right password; tries are forgotten after as long. */
const KNOWN_MS = 7 * 24 * 3_600_000
const TRIES_AN_ADDRESS_MAX = 100

/**
 * Counts a try before anything is compared, in a transaction of its own, so that a refusal does not take the count back
 * and a hundred tries at once are a hundred; which one it is in the window. Throws DIRECTORY_TOO_MANY_TRIES.
 */
export async function limitTries(
  { store, now }: DirectoryWorld,
  { bucket, max }: { bucket: string; max: number },
): Promise<number> {
  const count = await store.transaction((tx) => tx.countAttempt({ bucket, now: now(), windowMs: WINDOW_MS }))
  if (count > max) refuse('DIRECTORY_TOO_MANY_TRIES', 'too many tries')
  return count
}

/**
 * The same for whoever guesses on: each time that the tries are used up the window doubles, up to a day, until two
 * days after the first. Throws DIRECTORY_TOO_MANY_TRIES.
 */
export async function backOff(
  { store, now }: DirectoryWorld,
  { bucket, max }: { bucket: string; max: number },
): Promise<void> {
  const count = await store.transaction(async (tx) => {
    const before = await tx.get('attempt', { bucket: lockedBucket(bucket) })
    const isKnown = before !== undefined && before.since + FORGOTTEN_MS > now()
    const windowMs = Math.min(BACK_OFF_MS_MAX, WINDOW_MS * 2 ** Math.min(isKnown ? before.count : 0, 20))
    const tries = await tx.countAttempt({ bucket, now: now(), windowMs })
    if (tries === max + 1)
      await tx.countAttempt({ bucket: lockedBucket(bucket), now: now(), windowMs: FORGOTTEN_MS })
    return tries
  })
  if (count > max) refuse('DIRECTORY_TOO_MANY_TRIES', 'too many tries')
}
const lockedBucket = (bucket: string): string => `${bucket}:locked`

export const limitAddress = (world: DirectoryWorld, address: string): Promise<number> =>
  limitTries(world, { bucket: `address:${address}`, max: TRIES_AN_ADDRESS_MAX })

/** Somebody who is asked for a password, and whence, where that is known. */
interface Prover {
  readonly user: string
  readonly address?: string
}

/**
 * The step-up before what is dangerous: throws DIRECTORY_PASSWORD_WRONG or DIRECTORY_TOO_MANY_TRIES. Tries count by user
 * and address, so that nobody is locked out by who guesses elsewhere; guessing from many addresses has a count of its
 * own, which does not hold where the user has signed in from lately.
 */
export async function provePassword(
  world: DirectoryWorld,
  { user, address = 'unknown' }: Prover,
  password: string,
): Promise<void> {
  const { store, now } = world
  const bucket = `password:${user}@${address}`
  const known = `known:${user}@${address}`
  await limitTries(world, { bucket, max: TRIES_A_USER_MAX })
  const before = await store.read.get('attempt', { bucket: known })
  if (before === undefined || before.since + KNOWN_MS <= now())
    await limitTries(world, { bucket: `password:${user}`, max: TRIES_FROM_STRANGERS_MAX })
  const right = await isPassword(store.read, { user, password, cost: world.scryptCost })
  if (!right) refuse('DIRECTORY_PASSWORD_WRONG', 'user name or password is wrong')
  // Who knows it is not guessing: the window begins anew.
  await store.transaction(async (tx) => {
    await tx.drop('attempt', { bucket })
    await tx.put('attempt', { bucket: known, count: 1, since: now() })
  })
}
