import type { Context } from 'hono'
import type { MemberName, OrgId, Right } from '../../contract/index.ts'
import type { Principal } from '../../access/index.ts'
import type { Actor, OrgDirectory } from '../directory/index.ts'
import type { ClientAddress } from './client-address.ts'
import type { Allowances } from './directory/index.ts'
import { hasNul } from './nul.ts'
import { ApiError } from './problem.ts'

/** Longest header looked at. */
const HEADER_LENGTH_MAX = 1_024

/** Who asks. */
export interface Caller {
  readonly principal: Principal
  /** The same, as the directory knows them, with what the key opens. */
  readonly actor: Actor
}

/** What stands before what is asked. */
interface Door {
  readonly directory: OrgDirectory
  readonly allowances: Allowances
  readonly address: Pick<ClientAddress, 'of'>
}

/** Whether the caller's key and role give this in the own organisation as a whole. @throws API_FORBIDDEN */
export async function demandOwn(
  { gate }: Pick<OrgDirectory, 'gate'>,
  caller: Caller,
  right: Right,
): Promise<void> {
  if (!(await mayOwn({ gate }, caller, right))) throw new ApiError('API_FORBIDDEN', `this needs ${right}`)
}

export const mayOwn = async (
  { gate }: Pick<OrgDirectory, 'gate'>,
  { actor, principal: { org } }: Caller,
  right: Right,
): Promise<boolean> => (await gate.demand(actor, right, { org })).ok

/**
 * HTTP Basic with `organisation:name` and an API key. RFC 7617 lets no user name hold a colon, so the three parts are
 * read as one text; neither an id nor a name can hold one. Everyone unknown gets the same answer at the same price, and counts by address.
 * @throws API_UNAUTHORISED, API_RATE_LIMITED
 */
export async function authenticated({ directory, allowances, address }: Door, c: Context): Promise<Caller> {
  const from = address.of(c)
  allowances.assertAddress(from)
  const caller = await known(directory, c).catch((error: unknown) => allowances.fined(from, error))
  if (caller.actor.kind === 'user') allowances.assertUser(caller.actor.user)
  return caller
}

async function known(directory: OrgDirectory, c: Context): Promise<Caller> {
  const { org, name, secret } = credentialsIn(
    (c.req.header('Authorization') ?? '').slice(0, HEADER_LENGTH_MAX),
  )
  const found = await directory.doors.loginActor({ org, name, secret })
  if (found === undefined) throw new ApiError('API_UNAUTHORISED', 'unknown organisation, name or key')
  const principal = { org: org as OrgId, name: name as MemberName }
  return { principal, actor: found }
}

function credentialsIn(header: string): { org: string; name: string; secret: string } {
  const credentials = /^basic ([a-z0-9+/]+={0,2})$/i.exec(header)?.[1] ?? ''
  const text = Buffer.from(credentials, 'base64').toString('utf8')
  if (hasNul(text)) return { org: '', name: '', secret: '' }
  const [, org = '', name = '', secret = ''] = /^([^:]*):([^:]*):(.*)$/s.exec(text) ?? []
  return { org, name, secret }
}
