import { setCookie } from 'hono/cookie'
import type { Context } from 'hono'
import { z } from 'zod'
import type { OrgDirectory } from '../../directory/index.ts'
import { ApiError, checked } from '../problem.ts'
import { type Caller, csrfTokenOf, SESSION_COOKIE } from './credentials.ts'
import { BODY_BYTES_MAX, type Fields, type Operation } from './route.ts'

const NewSession = z.strictObject({
  login: z.string().min(1).max(254).describe('user name or e-mail address'),
  password: z.string().max(256),
  browser: z.boolean().default(false).describe('keep the secret in a cookie that no script sees'),
})

export const SessionMade = z.object({
  user: z.string().describe('a user name'),
  expiresAt: z.int().describe('epoch milliseconds'),
  secret: z.string().nullable().describe('for Authorization: Bearer; null where it went into the cookie'),
  csrf: z.string().nullable().describe('for X-CSRF-Token with each write of the cookie; else null'),
})
export const SessionShown = z.object({ user: z.string(), csrf: z.string() })

const common = { isList: false, takesKey: false, bytesMax: BODY_BYTES_MAX }
const none = z.strictObject({})

export const SIGN_IN: Operation = {
  ...common,
  ...{ method: 'POST', path: '/v1/sessions', by: 'anyone', id: 'sessions.create', status: 201 },
  says: 'Signs in with a password',
  request: NewSession,
  answer: SessionMade,
}
export const SHOW_SESSION: Operation = {
  ...common,
  ...{ method: 'GET', path: '/v1/sessions/current', by: 'session', id: 'sessions.current', status: 200 },
  says: 'Who is signed in, and the CSRF token of a cookie',
  request: none,
  answer: SessionShown,
}
export const SIGN_OUT: Operation = {
  ...common,
  ...{ method: 'DELETE', path: '/v1/sessions/current', by: 'session', id: 'sessions.end', status: 204 },
  says: 'Signs out',
  request: none,
  answer: null,
}

/** Each sign-in is a session of its own, so it takes no idempotency key; tries are counted by user and address. */
export async function signIn(
  c: Context,
  { doors }: OrgDirectory,
  { sent, address }: { sent: Fields; address: string },
): Promise<z.output<typeof SessionMade>> {
  const { login, password, browser } = checked(NewSession, sent)
  const outcome = await doors.signIn({ login, password, address })
  if (!outcome.ok) {
    const { code, message } = outcome
    throw new ApiError(code, message, code === 'DIRECTORY_PASSWORD_WRONG' ? { status: 401 } : {})
  }
  const { secret, user, expiresAt } = outcome.value
  if (!browser) return { user, expiresAt, secret, csrf: null }
  setCookie(c, SESSION_COOKIE, secret, { ...COOKIE, expires: new Date(expiresAt) })
  return { user, expiresAt, secret: null, csrf: csrfTokenOf(secret) }
}

export async function signOut(c: Context, { doors }: OrgDirectory, { secret }: Caller): Promise<void> {
  await doors.signOut(secret)
  setCookie(c, SESSION_COOKIE, '', { ...COOKIE, maxAge: 0 })
}

const COOKIE = { path: '/', secure: true, httpOnly: true, sameSite: 'Strict' } as const
