import type { Context } from 'hono'
import type { MemberName, OrgId, Role } from '../../contract/index.ts'
import type { Principal } from '../../access/index.ts'
import type { Actor, OrgDirectory } from '../directory/index.ts'
import { ApiError } from './problem.ts'

/** Longest header looked at. */
const HEADER_LENGTH_MAX = 1_024

/** Who asks. */
export interface Caller {
  readonly principal: Principal
  /** Of the member behind the key. */
  readonly role: Role
  /** The same, as the directory knows them. */
  readonly actor: Actor
}

/** Whether the caller may see usage and manage shares of the own organisation. */
export const leads = ({ role }: Caller): boolean => role === 'owner' || role === 'admin'

export function requireLead(caller: Caller, what: string): void {
  if (!leads(caller)) throw new ApiError('API_FORBIDDEN', `${what} is for owners and admins`)
}

/**
 * HTTP Basic with `organisation:name` and an API key. RFC 7617 lets no user name hold a colon, so the three parts are
 * read as one text; neither an id nor a name can hold one. Everyone unknown gets the same answer at the same price.
 */
export async function authenticated(directory: OrgDirectory, c: Context): Promise<Caller> {
  const { org, name, secret } = credentialsIn(
    (c.req.header('Authorization') ?? '').slice(0, HEADER_LENGTH_MAX),
  )
  const known = await directory.doors.loginActor({ org, name, secret })
  if (known === undefined) throw new ApiError('API_UNAUTHORISED', 'unknown organisation, name or key')
  const principal = { org: org as OrgId, name: name as MemberName }
  return { principal, role: known.role, actor: known.actor }
}

function credentialsIn(header: string): { org: string; name: string; secret: string } {
  const credentials = /^basic ([a-z0-9+/]+={0,2})$/i.exec(header)?.[1] ?? ''
  const text = Buffer.from(credentials, 'base64').toString('utf8')
  const [, org = '', name = '', secret = ''] = /^([^:]*):([^:]*):(.*)$/s.exec(text) ?? []
  return { org, name, secret }
}
