import { refuse } from '../errors.ts'
import type { DirectoryWorld } from '../kernel/write.ts'
import { isPassword } from './passwords.ts'

/** Wrong passwords for one user, and tries from one address, in a window. */
const WINDOW_MS = 15 * 60_000
const BACK_OFF_MS_MAX = 24 * 3_600_000
/** Longer than the longest window, so that waiting for its end alone does not win back the short one. */
const FORGOTTEN_MS = 2 * BACK_OFF_MS_MAX
const TRIES_A_USER_MAX = 10
const TRIES_AN_ADDRESS_MAX = 100

/**
 * Counts a try before anything is compared, in a transaction of its own, so that a refusal does not take the count back
 * and a hundred tries at once are a hundred. Throws DIRECTORY_TOO_MANY_TRIES.
 */
export async function limitTries(
  { store, now }: DirectoryWorld,
  { bucket, max }: { bucket: string; max: number },
): Promise<void> {
  const count = await store.transaction((tx) => tx.countAttempt({ bucket, now: now(), windowMs: WINDOW_MS }))
  if (count > max) refuse('DIRECTORY_TOO_MANY_TRIES', 'too many tries')
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

export const limitAddress = (world: DirectoryWorld, address: string): Promise<void> =>
  limitTries(world, { bucket: `address:${address}`, max: TRIES_AN_ADDRESS_MAX })

/** The step-up before what is dangerous: throws DIRECTORY_PASSWORD_WRONG or DIRECTORY_TOO_MANY_TRIES. */
export async function provePassword(world: DirectoryWorld, user: string, password: string): Promise<void> {
  const bucket = `password:${user}`
  await limitTries(world, { bucket, max: TRIES_A_USER_MAX })
  const right = await isPassword(world.store.read, { user, password, cost: world.scryptCost })
  if (!right) refuse('DIRECTORY_PASSWORD_WRONG', 'user name or password is wrong')
  // Who knows it is not guessing: the window begins anew.
  await world.store.transaction((tx) => tx.drop('attempt', { bucket }))
}
