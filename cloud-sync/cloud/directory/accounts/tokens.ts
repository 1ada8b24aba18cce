import { z } from 'zod'
import type { DirectoryRow } from '../../storage/index.ts'
import { notFound, refuse } from '../errors.ts'
import { demand } from '../kernel/authority.ts'
import { sha256 } from '../kernel/log.ts'
import { assertRoomFor, MAX } from '../kernel/limits.ts'
import { Id, Instant, OrgId, TokenScope, Username } from '../kernel/words.ts'
import { type Asking, command, orgChain, query, type Writing } from '../kernel/write.ts'
import { stepUp } from './attempts.ts'
import { assertNameFree, freeName } from './token-names.ts'

const TOKENS_MAX = 50

/**
 * The one API key of a user in an organisation, made anew: the old one opens nothing from this instant (S0.11, S0.13).
 * It is the password of the login `organisation:user`.
 */
export const regenerateKey = command({
  name: 'key.regenerate',
  input: z.strictObject({ org: OrgId }),
  chains: ({ org }) => [orgChain(org)],
  once: ['secret'],
  async run(writing, { org }) {
    const own = await demand(writing, 'token.self', { org }, { scope: 'read', stepUp: true })
    if (own.actingOrg !== org) refuse('DIRECTORY_FORBIDDEN', 'a key belongs to the own organisation')
    const readsOnly = own.role === 'observer' || own.role === 'customer-viewer'
    if (!readsOnly) await demand(writing, 'token.self', { org }, { scope: 'full', stepUp: true })
    for (const token of await tokensOf(writing, org, own.user))
      if (token.kind === 'api-key') await writing.put('token', { ...token, state: 'revoked' })
    const { user, incarnation } = own
    await freeName(writing, { org, user })
    const made = { org, user, incarnation, name: user, kind: 'api-key', expires_at: null } as const
    return addToken(writing, { ...made, scope: readsOnly ? 'read' : 'full' })
  },
  about: (_input, { token }) => `api-key (${token})`,
})

/** A further token: name, scope, expiry, and the password once more (S3.14). Shown once. */
export const createToken = command({
  name: 'token.create',
  input: z.strictObject({
    org: OrgId,
    name: Username,
    scope: TokenScope,
    /** Epoch ms; null = never. */
    expiresAt: Instant.nullable(),
    password: z.string().max(256),
  }),
  chains: ({ org }) => [orgChain(org)],
  once: ['secret'],
  before: (world, actor, { password }) => stepUp(world, actor, password),
  async run(writing, { org, name, scope, expiresAt }) {
    const own = await demand(writing, 'token.self', { org }, { scope, stepUp: true })
    if (own.actingOrg !== org) refuse('DIRECTORY_FORBIDDEN', 'a token belongs to the own organisation')
    const present = await tokensOf(writing, org, own.user)
    if (present.length >= TOKENS_MAX) refuse('DIRECTORY_QUOTA_EXCEEDED', `${TOKENS_MAX} tokens at most`)
    const all = await writing.read.count('token', { org, kind: 'token', state: 'active' })
    assertRoomFor(own, 'tokens of one organisation', { count: all, max: MAX.tokensOfOrganisation })
    await assertNameFree(writing, org, name)
    if (expiresAt !== null && expiresAt <= writing.at)
      refuse('DIRECTORY_INPUT_INVALID', 'it would have expired already')
    const { user, incarnation } = own
    return addToken(writing, { org, user, incarnation, name, kind: 'token', scope, expires_at: expiresAt })
  },
  about: ({ name }, { token }) => `${name} (${token})`,
})

/** One's own, or as an administrator anybody's who stands below. */
export const revokeToken = command({
  name: 'token.revoke',
  input: z.strictObject({ org: OrgId, token: Id }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, token: id }) {
    const own = await demand(writing, 'org.read', { org })
    const token = (await writing.read.get('token', { id, org, state: 'active' })) ?? notFound('token')
    if (token.user !== own.user) await demand(writing, 'token.revokeAny', { org }, { member: token.user })
    await writing.put('token', { ...token, state: 'revoked' })
    return { token: id, name: token.name }
  },
  about: (_input, { token, name }) => `${name} (${token})`,
})

/** The actor's own keys and tokens, without their secrets. */
export const list = query({
  input: z.strictObject({ org: OrgId }),
  async run(asking, { org }) {
    const own = await demand(asking, 'org.read', { org })
    return (await tokensOf(asking, org, own.user)).map(shown)
  },
})

/** Everybody's, for who may revoke them: whose each is, without its secret. */
export const listAll = query({
  input: z.strictObject({ org: OrgId }),
  async run(asking, { org }) {
    await demand(asking, 'token.revokeAny', { org })
    const all = await asking.read.find('token', { org, state: 'active' }, { orderBy: ['created_at', 'id'] })
    return all.map((token) => ({ ...shown(token), user: token.user }))
  },
})

const shown = ({ id, name, kind, scope, expires_at, created_at }: DirectoryRow<'token'>) => ({
  id,
  name,
  kind,
  scope,
  expiresAt: expires_at,
  createdAt: created_at,
})

const tokensOf = ({ read }: Asking, org: string, user: string) =>
  read.find('token', { org, user, state: 'active' }, { orderBy: ['created_at', 'id'] })

async function addToken(
  writing: Writing,
  token: Omit<DirectoryRow<'token'>, 'id' | 'hash' | 'state' | 'created_at'>,
): Promise<{ token: string; secret: string | null }> {
  const { world, at } = writing
  const secret = world.newSecret()
  const id = world.newId()
  await writing.put('token', { ...token, id, hash: sha256(secret), state: 'active', created_at: at })
  return { token: id, secret }
}
