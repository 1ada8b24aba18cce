import { z } from 'zod'
import type { DirectoryReader } from '../../storage/index.ts'
import { refuse, notFound } from '../errors.ts'
import { foldEmail } from '../kernel/fold.ts'
import { sha256 } from '../kernel/log.ts'
import { Email, Password, Secret, Timezone, Title, Username } from '../kernel/words.ts'
import { shareOf } from '../kernel/hashing.ts'
import { type Asking, command, orgChain, ownChain, query, userChain, type Writing } from '../kernel/write.ts'
import { mails } from '../mail/texts.ts'
import { foundOrganisation, NewOrganisation } from '../organisations/founding.ts'
import { accountsAt, assertNobodys } from './addresses.ts'
import { limitAddress, limitTries, stepUp, welcome } from './attempts.ts'
import { hashPassword, type HashedPassword } from './passwords.ts'

const VERIFY_MS = 2 * 24 * 3_600_000
const RESET_MS = 3_600_000
const RESETS_AN_ADDRESS_MAX = 5
/** Mails to confirm an address that one user causes in a quarter of an hour. */
const CONFIRMATIONS_MAX = 10

/** A personal account; with an organisation and its first workspace where they are named (S1.3). */
export const signUp = command({
  name: 'user.sign-up',
  input: z.strictObject({
    username: Username,
    email: Email,
    password: Password,
    name: Title,
    tz: Timezone.default('UTC'),
    organisation: NewOrganisation.optional(),
    workspace: z.strictObject({ name: Title }).optional(),
  }),
  chains: ({ username, organisation }) => [
    userChain(username),
    ...(organisation === undefined ? [] : [orgChain(organisation.id)]),
  ],
  before: async (world, actor, { password }) => {
    if (actor.kind === 'visitor') await limitAddress(world, actor.address)
    return hashPassword(world, { password, share: shareOf(actor) })
  },
  async run(writing, { username, email, name, tz, organisation, workspace }, hashed: HashedPassword) {
    if (workspace !== undefined && organisation === undefined)
      refuse('DIRECTORY_INPUT_INVALID', 'a workspace belongs to an organisation: name both')
    await addUser(writing, { username, email, name, tz })
    await writing.working.put('password', { user: username, changed_at: writing.at, ...hashed })
    await askToVerify(writing, username, email)
    const founded =
      organisation === undefined
        ? null
        : await foundOrganisation(writing, { ...organisation, owner: username, workspace: workspace?.name })
    return { user: username, organisation: founded?.id ?? null, workspace: founded?.workspace ?? null }
  },
})

/**
 * E-mail, name and time zone; the address changes when the new one is proven (S0.4), the user name never (S0.5). Another
 * address can choose a new password, so it takes the present one.
 */
export const changeProfile = command({
  name: 'user.change-profile',
  input: z.strictObject({
    email: Email.optional(),
    name: Title.optional(),
    tz: Timezone.optional(),
    username: z.string().optional(),
    /** With an address that is not the present one. */
    password: z.string().max(256).optional(),
  }),
  chains: ownChain,
  before: async (world, actor, { email, password }) => {
    if (email === undefined || actor.kind !== 'user') return
    const user = await world.store.read.get('user', { id: actor.user })
    if (user?.email_key !== foldEmail(email)) {
      if (password === undefined)
        refuse('DIRECTORY_PASSWORD_WRONG', 'the password is needed for another address')
      await stepUp(world, actor, password)
    }
    await limitTries(world, { bucket: `confirm:${actor.user}`, max: CONFIRMATIONS_MAX })
  },
  async run(writing, { email, name, tz, username }) {
    const user = await ownAccount(writing)
    if (username !== undefined && username !== user.id)
      refuse('DIRECTORY_UNCHANGEABLE', `${user.id} cannot change the user name`)
    if (name !== undefined || tz !== undefined)
      await writing.put('user', { ...user, name: name ?? user.name, tz: tz ?? user.tz })
    // One that is not proven yet: the mail is sent again.
    const isProven = email === user.email && user.email_verified_at !== null
    if (email === undefined || isProven) return { emailPending: null }
    await assertNobodys(writing, user.id, foldEmail(email))
    await askToVerify(writing, user.id, email)
    return { emailPending: email }
  },
})

/** Opened from the mail: the address is the user's. */
export const verifyEmail = command({
  name: 'user.verify-email',
  input: z.strictObject({ secret: Secret }),
  chains: ({ secret }, _actor, read) => chainOfSecret(read, secret, 'address'),
  async run(writing, { secret }) {
    const { user: id, email } = await verificationOf(writing, secret, 'address')
    const user = (await writing.read.get('user', { id })) ?? notFound('user')
    const email_key = foldEmail(email)
    // Several may say an address; it is whose mail is opened first.
    await assertNobodys(writing, id, email_key)
    await writing.put('user', { ...user, email, email_key, email_verified_at: writing.at })
    await writing.working.drop('verification', { user: id })
    if (user.email_verified_at !== null && user.email_key !== email_key)
      await writing.mail(mails.addressChanged(user.email, { user: id, address: email }))
    return { user: id, email }
  },
})

/** A new password for who knows the old one; every session ends, API keys stay (S0.6). */
export const changePassword = command({
  name: 'user.change-password',
  input: z.strictObject({ password: z.string().max(256), newPassword: Password }),
  chains: ownChain,
  before: async (world, actor, { password, newPassword }) => {
    await stepUp(world, actor, password)
    return hashPassword(world, { password: newPassword, share: shareOf(actor) })
  },
  async run(writing, _input, hashed: HashedPassword) {
    const { id } = await ownAccount(writing)
    await setPassword(writing, id, hashed)
    return { user: id }
  },
})

/** A mail to choose a new password; whether there is such an account is not told. */
export const requestReset = command({
  name: 'user.request-reset',
  input: z.strictObject({ email: Email }),
  chains: () => [],
  before: (world, _actor, { email }) =>
    limitTries(world, { bucket: `reset:${foldEmail(email)}`, max: RESETS_AN_ADDRESS_MAX }),
  async run(writing, { email }) {
    for (const user of await accountsAt(writing.read, email)) {
      const url = await verification(writing, { user: user.id, email: user.email, purpose: 'password' })
      await writing.mail(mails.reset(user.email, { user: user.id, url }))
    }
    return {}
  },
})

/** Whoever opened the mail has proven the address as well. */
export const resetPassword = command({
  name: 'user.reset-password',
  input: z.strictObject({ secret: Secret, newPassword: Password }),
  chains: ({ secret }, _actor, read) => chainOfSecret(read, secret, 'password'),
  before: async (world, actor, { secret, newPassword }) => {
    if (actor.kind === 'visitor') await limitAddress(world, actor.address)
    // Nothing is hashed for who guesses.
    await verificationOf({ read: world.store.read, at: world.now() }, secret, 'password')
    return hashPassword(world, { password: newPassword, share: shareOf(actor) })
  },
  async run(writing, { secret }, hashed: HashedPassword) {
    const { user, email } = await verificationOf(writing, secret, 'password')
    await setPassword(writing, user, hashed)
    if (writing.actor.kind === 'visitor')
      await welcome(writing.working, { user, address: writing.actor.address, at: writing.at })
    const account = (await writing.read.get('user', { id: user })) ?? notFound('user')
    const isNews = account.email_verified_at === null && account.email_key === foldEmail(email)
    if (isNews && (await writing.read.provenUser(account.email_key)) === undefined)
      await writing.put('user', { ...account, email_verified_at: writing.at })
    return { user }
  },
})

/** The profile page: exactly these (S0.3). */
export const me = query({
  input: z.strictObject({}),
  async run(asking) {
    const { id, email, name, tz } = await ownAccount(asking)
    return { email, name, username: id, timezone: tz }
  },
})

/** The active account of who acts; throws DIRECTORY_SIGNED_OUT. */
export async function ownAccount(asking: Asking | Writing) {
  const { actor, read } = asking
  // A token speaks for its user in one organisation, not for what is the user's own.
  if ('put' in asking && actor.kind === 'user' && actor.scope !== 'full')
    refuse('DIRECTORY_FORBIDDEN', 'a token does not change the account')
  const user = actor.kind === 'user' ? await read.get('user', { id: actor.user }) : undefined
  if (user?.state !== 'active') return refuse('DIRECTORY_SIGNED_OUT', 'nobody is signed in')
  return user
}

/** Adds an account without password, its address not proven yet; throws DIRECTORY_EXISTS. */
export async function addUser(
  writing: Writing,
  { username, email, name, tz }: { username: string; email: string; name: string; tz: string },
): Promise<void> {
  const { read, at } = writing
  const email_key = foldEmail(email)
  if (await read.get('user', { id: username }))
    refuse('DIRECTORY_EXISTS', `the user name ${username} is taken`)
  await assertNobodys(writing, username, email_key)
  await writing.put('user', {
    id: username,
    email,
    email_key,
    email_verified_at: null,
    name,
    tz,
    state: 'active',
    created_at: at,
  })
}

/** Whoever had the account before has no session in it and no mail that opens anything any more. */
async function setPassword(writing: Writing, user: string, hashed: HashedPassword): Promise<void> {
  await writing.working.put('password', { user, changed_at: writing.at, ...hashed })
  await writing.working.drop('session', { user })
  await writing.working.drop('verification', { user })
}

async function askToVerify(writing: Writing, user: string, email: string): Promise<void> {
  const url = await verification(writing, { user, email, purpose: 'address' })
  await writing.mail(mails.verify(email, { user, url }))
}

/** Makes the secret of a mail; an older one of the same purpose ends. */
async function verification(
  { working, world, at }: Writing,
  asked: { user: string; email: string; purpose: 'address' | 'password' },
): Promise<string> {
  const secret = world.newSecret()
  const { user, purpose } = asked
  await working.drop('verification', { user, purpose })
  const expires_at = at + (purpose === 'address' ? VERIFY_MS : RESET_MS)
  await working.put('verification', { hash: sha256(secret), ...asked, expires_at })
  return `${world.siteUrl}/${purpose === 'address' ? 'verify' : 'reset'}#${secret}`
}

async function verificationOf(
  { read, at }: Pick<Asking, 'read' | 'at'>,
  secret: string,
  purpose: 'address' | 'password',
) {
  const found = await read.get('verification', { hash: sha256(secret), purpose })
  if (found === undefined || found.expires_at <= at)
    return refuse('DIRECTORY_NOT_FOUND', 'this address has expired or was used')
  return found
}

async function chainOfSecret(
  read: DirectoryReader,
  secret: string,
  purpose: 'address' | 'password',
): Promise<string[]> {
  const found = await read.get('verification', { hash: sha256(secret), purpose })
  return found === undefined ? [] : [userChain(found.user)]
}
