import { refuse } from '../errors.ts'
import type { DirectoryWorld } from '../kernel/write.ts'
import { isPassword } from './passwords.ts'

/** Wrong passwords for one user, and tries from one address, in a window. */
const WINDOW_MS = 15 * 60_000
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
