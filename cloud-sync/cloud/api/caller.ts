import type { Context } from 'hono'
import { type RoleV1, ZERO_HASH } from '../../contract/index.ts'
import type { Principal } from '../../access/index.ts'
import { sameHash, sha256 } from '../../codec/index.ts'
import { type Directory, loginOf } from '../directory/index.ts'
import { ApiError } from './problem.ts'

/** Longest header looked at. */
const HEADER_LENGTH_MAX = 1_024

/** Who asks. */
export interface Caller {
  readonly principal: Principal
  /** Of the member behind the key. */
  readonly role: RoleV1
}

/** Whether the caller may see usage and manage shares of the own organisation. */
export const leads = ({ role }: Caller): boolean => role === 'owner' || role === 'admin'

/**
 * HTTP Basic with `organisation:name` and an API key. RFC 7617 lets no user name hold a colon, so the three parts are
 * read as one text; neither an id nor a name can hold one. Everyone unknown gets the same answer at the same price.
 */
export function authenticated(directory: Directory, c: Context): Caller {
  const caller = callerOf(directory, c.req.header('Authorization') ?? '')
  if (caller === undefined) throw new ApiError('API_UNAUTHORISED', 'unknown organisation, name or key')
  return caller
}

function callerOf(directory: Directory, header: string): Caller | undefined {
  const { login, secret } = credentialsIn(header.slice(0, HEADER_LENGTH_MAX))
  const state = directory.state()
  const key = state.keys.get(login)
  const isRight = sameHash(sha256(Buffer.from(secret)), key?.hash ?? ZERO_HASH)
  if (key === undefined || !isRight) return undefined
  const member = state.members.get(loginOf(key.org, key.member))
  return member && { principal: { org: key.org, name: key.name }, role: member.role }
}

function credentialsIn(header: string): { login: string; secret: string } {
  const credentials = /^basic ([a-z0-9+/]+={0,2})$/i.exec(header)?.[1] ?? ''
  const text = Buffer.from(credentials, 'base64').toString('utf8')
  const [, login = '', secret = ''] = /^([^:]*:[^:]*):(.*)$/s.exec(text) ?? []
  return { login, secret }
}
