import type { Context } from 'hono'
import { sha256 } from '../../cloud-sync/codec/index.ts'
import { AgentError } from '../errors.ts'
import type { Login, PolicyInForce } from '../policy/in-force.ts'
import type { Guesses } from './guesses.ts'

/** Longest `Authorization` looked at. */
const HEADER_LENGTH_MAX = 1_024
const SECOND_MS = 1_000

/**
 * Who asks. `administrator` is whoever may open the gateway's own socket: the machine is theirs, so they see what it
 * decides, and change nothing without somebody's key. Everybody else is a member, in the one organisation of their login.
 */
export type Caller = { readonly kind: 'administrator' } | ({ readonly kind: 'member' } & Login)

/** What is kept beside a request. */
export interface Variables {
  /** Address of the peer. */
  address: string
}
export type Asking = Context<{ Variables: Variables }>

/** Finds out who asks. @throws AgentError CONSOLE_UNAUTHORISED, CONSOLE_TOO_MANY, CONSOLE_NO_POLICY */
export type CallerOf = (context: Asking) => Caller

/** Basic authentication with `organisation:name` and an API key, checked offline as the broker does. */
export function memberCaller(inForce: PolicyInForce, guesses: Guesses): CallerOf {
  return (context) => {
    const address = context.get('address')
    const waitMs = guesses.waitMs(address)
    if (waitMs > 0) {
      context.header('Retry-After', String(Math.ceil(waitMs / SECOND_MS)))
      throw new AgentError('CONSOLE_TOO_MANY', 'too many wrong keys from this address')
    }
    if (inForce.snapshot === undefined)
      throw new AgentError('CONSOLE_NO_POLICY', 'this gateway has no policy yet')
    const header = context.req.header('Authorization')
    if (header === undefined)
      throw new AgentError('CONSOLE_UNAUTHORISED', 'log in with organisation:name and a key')
    const { username, key } = credentialsIn(header.slice(0, HEADER_LENGTH_MAX))
    const login = inForce.logIn(username, sha256(Buffer.from(key)))
    if (login === undefined) {
      guesses.wrong(address)
      throw new AgentError('CONSOLE_UNAUTHORISED', 'unknown organisation, name or key')
    }
    guesses.right(address)
    return { kind: 'member', ...login }
  }
}

/** On the gateway's own socket a login is needed only to change something in somebody's name. */
export function administratorCaller(member: CallerOf): CallerOf {
  return (context) =>
    context.req.header('Authorization') === undefined ? { kind: 'administrator' } : member(context)
}

/** The author of a change. @throws AgentError CONSOLE_UNAUTHORISED where nobody in particular asks */
export function authorOf(caller: Caller): Login {
  if (caller.kind === 'member') return caller
  throw new AgentError('CONSOLE_UNAUTHORISED', 'a change is made in the name of a member: log in as one')
}

/** RFC 7617 lets no user name hold a colon, so the three parts are read as one text, as the cloud does. */
function credentialsIn(header: string): { username: string; key: string } {
  const credentials = /^basic ([a-z0-9+/]+={0,2})$/i.exec(header)?.[1] ?? ''
  const text = Buffer.from(credentials, 'base64').toString('utf8')
  const [, username = '', key = ''] = /^([^:]*:[^:]*):(.*)$/s.exec(text) ?? []
  return { username, key }
}
