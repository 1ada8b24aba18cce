import type { Context } from 'hono'
import { getCookie } from 'hono/cookie'
import { z } from 'zod'
import { plainId } from '../../../contract/index.ts'
import { sameHash, sha256 } from '../../../codec/index.ts'
import type { Actor, OrgDirectory } from '../../directory/index.ts'
import { hasNul } from '../nul.ts'
import { ApiError, checked } from '../problem.ts'

/** Longest header looked at. */
const HEADER_LENGTH_MAX = 1_024
/** Of a browser's session: sent to this host alone, over TLS alone, never seen by a script (RFC 6265bis, 4.1.3.2). */
export const SESSION_COOKIE = '__Host-headgate'
/** For whom somebody acts who could act for several. */
export const CONTEXT_HEADER = 'Headgate-Organisation'

/** Who asks, and what with. */
export interface Caller {
  readonly actor: Extract<Actor, { kind: 'user' }>
  readonly by: 'session' | 'key'
  /** Of the session. */
  readonly secret: string
}

/**
 * Who asks: HTTP Basic `organisation:name` with a key, a bearer session or key, or a browser's cookie. Nobody's rights in
 * one organisation ever come from another: a key acts for its own; a session for the one that the header names, else for
 * the one that the address is about. Whatever is wrong has one answer. @throws API_UNAUTHORISED, API_CROSS_SITE
 */
export async function callerOf(
  c: Context,
  { doors }: OrgDirectory,
  addressed: string | undefined,
): Promise<Caller> {
  const named = c.req.header(CONTEXT_HEADER)
  const context =
    named === undefined
      ? undefined
      : checked(z.object({ [CONTEXT_HEADER]: plainId }), { [CONTEXT_HEADER]: named })[CONTEXT_HEADER]
  const header = c.req.header('Authorization')
  const caller =
    header === undefined
      ? await byCookie(c, doors, context ?? addressed)
      : await byHeader(header.slice(0, HEADER_LENGTH_MAX), doors, context ?? addressed)
  const isForeign = caller?.by === 'key' && context !== undefined && caller.actor.org !== context
  if (caller === undefined || isForeign)
    throw new ApiError('API_UNAUTHORISED', 'nobody is signed in, or not for this organisation')
  return caller
}

type Doors = OrgDirectory['doors']

async function byHeader(
  header: string,
  doors: Doors,
  context: string | undefined,
): Promise<Caller | undefined> {
  const bearer = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(header)?.[1]
  if (bearer !== undefined)
    return (
      called(await doors.sessionActor(bearer, context ?? null), 'session', bearer) ??
      called(await doors.keyActor(bearer), 'key', bearer)
    )
  const basic = /^basic +([a-z0-9+/]+={0,2})$/i.exec(header)?.[1]
  if (basic === undefined) return undefined
  // RFC 7617 lets no user name hold a colon, so the three parts are read as one text; neither an id nor a name holds one.
  const text = Buffer.from(basic, 'base64').toString('utf8')
  if (hasNul(text)) return undefined
  const [, org = '', name = '', secret = ''] = /^([^:]+):([^:]+):(.+)$/s.exec(text) ?? []
  return called(await doors.loginActor({ org, name, secret }), 'key', secret)
}

async function byCookie(c: Context, doors: Doors, context: string | undefined): Promise<Caller | undefined> {
  const secret = getCookie(c, SESSION_COOKIE)
  if (secret === undefined) return undefined
  const caller = called(await doors.sessionActor(secret, context ?? null), 'session', secret)
  if (caller !== undefined && !isSafe(c)) assertOwnSite(c, secret)
  return caller
}

const called = (actor: Actor | undefined, by: Caller['by'], secret: string): Caller | undefined =>
  actor?.kind === 'user' ? { actor, by, secret } : undefined

const isSafe = ({ req: { method } }: Context): boolean => method === 'GET' || method === 'HEAD'

/** What a page must show that it could read the answer to the sign-in, which no other site can. */
export const csrfTokenOf = (secret: string): string =>
  Buffer.from(sha256(Buffer.from(`headgate-csrf\0${secret}`)), 'hex').toString('base64url')

function assertOwnSite(c: Context, secret: string): void {
  const given = c.req.header('X-CSRF-Token') ?? ''
  if (!sameHash(sha256(Buffer.from(given)), sha256(Buffer.from(csrfTokenOf(secret)))))
    throw new ApiError('API_CROSS_SITE', 'the X-CSRF-Token of the session is missing or wrong')
}

/** Browsers say whence a request comes; one that another site started writes nothing here, signs nobody in. */
export function assertNotCrossSite(c: Context): void {
  const site = c.req.header('Sec-Fetch-Site') ?? 'none'
  if (!isSafe(c) && site !== 'same-origin' && site !== 'none')
    throw new ApiError('API_CROSS_SITE', 'the request was started by another site')
}
