import { refuse } from '../errors.ts'
import type { Actor } from '../kernel/actor.ts'
import { shareOf } from '../kernel/hashing.ts'
import { networkOf } from '../kernel/network.ts'
import type { DirectoryWorld, Writing } from '../kernel/write.ts'
import { isPassword } from './passwords.ts'

/** Passwords for one user, and tries from one network, in a window. */
const WINDOW_MS = 15 * 60_000
const BACK_OFF_MS_MAX = 24 * 3_600_000
/** Longer than the longest window, so that waiting for its end alone does not win back the short one. */
const FORGOTTEN_MS = 2 * BACK_OFF_MS_MAX
const TRIES_A_USER_MAX = 10
/** Of one user from all addresses from which they have not signed in lately: many addresses guess no faster. */
const TRIES_FROM_STRANGERS_MAX = 200
/** Right ones of one user: each costs as much as a wrong one. More than the tokens that somebody makes in one go. */
const RIGHT_A_USER_MAX = 60
export const SESSION_MS = 30 * 24 * 3_600_000
/** So long a network counts as the user's own after a right password: as long as the session that it may have opened. */
const KNOWN_MS = SESSION_MS
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

/** For one try from there; throws DIRECTORY_TOO_MANY_TRIES. */
export const limitAddress = (world: DirectoryWorld, address: string): Promise<number> =>
  limitTries(world, { bucket: `address:${networkOf(address)}`, max: TRIES_AN_ADDRESS_MAX })

/** Somebody who is asked for a password, and whence, where that is known. */
interface Prover {
  readonly user: string
  readonly address?: string
  /** Has a session already, which no stranger has. */
  readonly isSignedIn?: boolean
}

/** The password once more, before what is dangerous. Throws what `provePassword` does, and DIRECTORY_SIGNED_OUT. */
export async function stepUp(world: DirectoryWorld, actor: Actor, password: string): Promise<void> {
  if (actor.kind !== 'user') return refuse('DIRECTORY_SIGNED_OUT', 'nobody is signed in')
  await provePassword(world, { ...actor, isSignedIn: true }, password)
}

/**
 * Throws DIRECTORY_PASSWORD_WRONG, DIRECTORY_TOO_MANY_TRIES or DIRECTORY_BUSY. Tries count by user and network, so that
 * nobody is locked out by who guesses elsewhere; guessing from many networks has a count of its own, which does not hold
 * where the user has signed in from lately, nor for who has a session: whoever stole one has a count apart.
 */
export async function provePassword(
  world: DirectoryWorld,
  { user, address, isSignedIn = false }: Prover,
  password: string,
): Promise<void> {
  const { store, now } = world
  const from = { user, address: address ?? 'unknown' }
  await assertNotTooOften(world, user)
  await limitTries(world, { bucket: triesOf(from), max: TRIES_A_USER_MAX })
  const known = await store.read.get('attempt', { bucket: knownAt(from) })
  if (known === undefined || known.since <= now())
    await limitTries(world, {
      bucket: isSignedIn ? `password:session:${user}` : `password:${user}`,
      max: TRIES_FROM_STRANGERS_MAX,
    })
  const share = shareOf(address === undefined ? { user } : { address })
  if (!(await isPassword(world, { user, password, share })))
    refuse('DIRECTORY_PASSWORD_WRONG', 'user name or password is wrong')
  await store.transaction(async (tx) => {
    await tx.countAttempt({ bucket: rightOf(user), now: now(), windowMs: WINDOW_MS })
    await welcome(tx, { ...from, at: now() })
  })
}

/** Who knows the password, or has opened the mail, is not guessing: the window begins anew, and the network is theirs. */
export async function welcome(
  working: Pick<Writing['working'], 'put' | 'drop'>,
  { at, ...from }: { user: string; address: string; at: number },
): Promise<void> {
  await working.drop('attempt', { bucket: triesOf(from) })
  // Of such a row `since` is when it ends.
  await working.put('attempt', { bucket: knownAt(from), count: 1, since: at + KNOWN_MS })
}

/** A right password costs as much work as a wrong one. Those at once are as many as wait at most. */
async function assertNotTooOften({ store, now }: DirectoryWorld, user: string): Promise<void> {
  const right = await store.read.get('attempt', { bucket: rightOf(user) })
  if (right !== undefined && right.since + WINDOW_MS > now() && right.count >= RIGHT_A_USER_MAX)
    refuse('DIRECTORY_TOO_MANY_TRIES', 'the password was asked for too often')
}

interface From {
  readonly user: string
  readonly address: string
}
const triesOf = ({ user, address }: From): string => `password:${user}@${networkOf(address)}`
const knownAt = ({ user, address }: From): string => `known:${user}@${networkOf(address)}`
const rightOf = (user: string): string => `right:${user}`
