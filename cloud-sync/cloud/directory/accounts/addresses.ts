import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { refuse } from '../errors.ts'
import { foldEmail } from '../kernel/fold.ts'
import type { Asking } from '../kernel/write.ts'

/** Accounts that say one address and have not proven it, which a mail to it reaches at once. */
const UNPROVEN_MAX = 5

/**
 * The account that this address is proven to be of. Only such a one is given anything because of an address: anybody can
 * say one at the sign-up.
 */
export const provenAccount = (
  read: DirectoryReader,
  email: string,
): Promise<DirectoryRow<'user'> | undefined> => read.provenUser(foldEmail(email))

/** Whom a mail to this address may be about: whose it is, else who says so and has not proven it, the oldest first. */
export async function accountsAt(read: DirectoryReader, email: string): Promise<DirectoryRow<'user'>[]> {
  const email_key = foldEmail(email)
  const proven = await read.provenUser(email_key)
  if (proven !== undefined) return [proven]
  const order = { orderBy: ['created_at', 'id'], limit: UNPROVEN_MAX } as const
  return read.find('user', { email_key, email_verified_at: null }, order)
}

/** Throws DIRECTORY_EXISTS where it is proven to be another account's. Who only says it keeps nobody out. */
export async function assertNobodys({ read }: Asking, user: string, emailKey: string): Promise<void> {
  const proven = await read.provenUser(emailKey)
  if (proven !== undefined && proven.id !== user)
    refuse('DIRECTORY_EXISTS', 'this address belongs to another account')
}
