import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { refuse } from '../errors.ts'
import type { Writing } from '../kernel/write.ts'
import { mails } from '../mail/texts.ts'

/** Who left logs in too, to what they were left with. */
const NAMED = ['active', 'suspended', 'left'] as const

/** Logins are `organisation:name`: no token is called like a member or another token. Throws DIRECTORY_EXISTS. */
export async function assertNameFree({ read }: Writing, org: string, name: string): Promise<void> {
  const taken =
    (await read.get('membership', { org, user: name, state: [...NAMED] })) ??
    (await read.get('token', { org, name, state: 'active' }))
  if (taken !== undefined) refuse('DIRECTORY_EXISTS', `the name ${name} is taken in ${org}`)
}

/**
 * The login `organisation:user` is that person's: others' tokens that were called so before they came end, and who made
 * them is told by mail.
 */
export async function freeName(
  writing: Writing,
  { org, user }: Pick<DirectoryRow<'membership'>, 'org' | 'user'>,
): Promise<void> {
  const { read } = writing
  const namesakes = await read.find('token', { org, name: user, state: 'active' })
  for (const token of namesakes.filter((one) => one.user !== user)) {
    await writing.put('token', { ...token, state: 'revoked' })
    const maker = await read.get('user', { id: token.user })
    if (maker !== undefined) await writing.mail(mails.tokenEnded(maker.email, { org, name: user }))
  }
}

/** Whether a token bears the name of a member other than its own: it opens nothing. */
export async function isAnothersName(
  read: DirectoryReader,
  { org, name, user }: DirectoryRow<'token'>,
): Promise<boolean> {
  if (name === user) return false
  return (await read.get('membership', { org, user: name, state: [...NAMED] })) !== undefined
}
