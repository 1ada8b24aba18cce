import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import type { Actor } from '../kernel/actor.ts'
import { activeOrganisation } from '../kernel/authority.ts'
import { DirectoryRefusal, refuse } from '../errors.ts'
import { sha256 } from '../kernel/log.ts'
import type { DirectoryWorld, Outcome } from '../kernel/write.ts'
import { accountsAt } from './addresses.ts'
import { limitAddress, provePassword, SESSION_MS } from './attempts.ts'
import { isAnothersName } from './token-names.ts'

const LOGIN_LENGTH_MAX = 254

export interface SignIn {
  /** User name or e-mail address. */
  readonly login: string
  readonly password: string
  /** Whence, for the limit of tries. */
  readonly address: string
}

export interface SignedIn {
  /** Shown once; only its hash is kept. */
  readonly secret: string
  readonly user: string
  readonly expiresAt: number
}

/** Sign-in with a password, and what a secret of a session or key stands for. */
export interface Doors {
  signIn(asked: SignIn): Promise<Outcome<SignedIn>>
  signOut(secret: string): Promise<void>
  /** Who acts with this session for this organisation; undefined where it is over. */
  sessionActor(secret: string, org: string | null): Promise<Actor | undefined>
  /** Who acts with an API key or token under its name, as gateways take it too; undefined for any other login. */
  loginActor(login: { org: string; name: string; secret: string }): Promise<Actor | undefined>
  /** Who acts with this API key or token: its user, for its organisation, with its scope. */
  keyActor(secret: string): Promise<Actor | undefined>
}

export function createDoors(world: DirectoryWorld): Doors {
  const { store, now } = world
  const behind = async (token: DirectoryRow<'token'>): Promise<Actor | undefined> => {
    if (token.expires_at !== null && token.expires_at <= now()) return undefined
    const { org, user, incarnation, scope } = token
    const member = await store.read.get('membership', { org, user, state: 'active' })
    const account = await store.read.get('user', { id: user, state: 'active' })
    // As at a gateway: a key sleeps with its organisation.
    const organisation = await activeOrganisation(store, org)
    // A key dies with the membership it was made in; a new one does not revive it.
    if (member?.incarnation !== incarnation) return undefined
    if (account === undefined || organisation === undefined) return undefined
    return (await isAnothersName(store.read, token)) ? undefined : { kind: 'user', user, org, scope }
  }
  return {
    async signIn(asked) {
      try {
        return { ok: true, repeated: false, value: await signIn(world, asked) }
      } catch (error) {
        if (!(error instanceof DirectoryRefusal)) throw error
        const { code, message, hint } = error
        return { ok: false, code, message, hint }
      }
    },
    signOut: (secret) => store.transaction((tx) => tx.drop('session', { hash: sha256(secret) })),
    async sessionActor(secret, org) {
      const session = await store.read.get('session', { hash: sha256(secret) })
      if (session === undefined || session.expires_at <= now()) return undefined
      const user = await store.read.get('user', { id: session.user, state: 'active' })
      return user === undefined ? undefined : { kind: 'user', user: user.id, org, scope: 'full' }
    },
    async loginActor({ org, name, secret }) {
      // Both are looked up whatever there is, so that an unknown name costs what a wrong key does.
      const tokens = await store.read.find('token', { org, name, state: 'active' })
      const token = await store.read.get('token', { hash: sha256(secret), state: 'active' })
      return token !== undefined && tokens.some(({ id }) => id === token.id) ? behind(token) : undefined
    },
    async keyActor(secret) {
      const token = await store.read.get('token', { hash: sha256(secret), state: 'active' })
      return token === undefined ? undefined : behind(token)
    },
  }
}

async function signIn(world: DirectoryWorld, { login, password, address }: SignIn): Promise<SignedIn> {
  const { store, now, newSecret } = world
  await limitAddress(world, address)
  if (login.length > LOGIN_LENGTH_MAX) refuse('DIRECTORY_PASSWORD_WRONG', 'user name or password is wrong')
  const user = login.includes('@')
    ? await accountAt(store.read, login)
    : await store.read.get('user', { id: login })
  // Also for somebody unknown or suspended: the same work, the same answer.
  await provePassword(world, { user: user?.id ?? login, address }, password)
  if (user?.state !== 'active') refuse('DIRECTORY_PASSWORD_WRONG', 'user name or password is wrong')
  const secret = newSecret()
  const at = now()
  const expiresAt = at + SESSION_MS
  await store.transaction(async (tx) => {
    await tx.put('session', { hash: sha256(secret), user: user.id, created_at: at, expires_at: expiresAt })
    await tx.add('audit', {
      at,
      org: null,
      actor_kind: 'user',
      actor: user.id,
      actor_org: null,
      what: 'user.sign-in',
      outcome: 'done',
      detail: address,
    })
  })
  return { secret, user: user.id, expiresAt }
}

/** Whose address it is; where several say it and none has proven it, the user name tells them apart. */
async function accountAt(read: DirectoryReader, email: string): Promise<DirectoryRow<'user'> | undefined> {
  const [first, ...others] = await accountsAt(read, email)
  return others.length === 0 ? first : undefined
}
