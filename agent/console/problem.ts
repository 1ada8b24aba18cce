import type { Context } from 'hono'
import type { z } from 'zod'
import { AGENT_ERRORS, AgentError, type AgentErrorCode } from '../errors.ts'
import type { Log } from '../log.ts'

/** What outsiders are told; every other code is a fault of ours and says nothing more. */
const STATUS = {
  CONSOLE_UNAUTHORISED: 401,
  CONSOLE_NOT_ALLOWED: 403,
  CONSOLE_NOT_FOUND: 404,
  CONSOLE_REQUEST_INVALID: 400,
  CONSOLE_TOO_LARGE: 413,
  CONSOLE_TOO_MANY: 429,
  CONSOLE_NO_POLICY: 503,
  CHANGE_REFUSED: 409,
  CLAIM_REFUSED: 403,
  CLAIM_LOCKED: 429,
  STORE_FULL: 503,
  INTERNAL: 500,
} as const satisfies Partial<Record<AgentErrorCode, number>>

type Told = keyof typeof STATUS
const isTold = (code: string): code is Told => Object.hasOwn(STATUS, code)

/** Answers a thrown error as problem+json (RFC 9457): code, sentence and hint, never a cause. */
export function problemFor(log: Log): (error: Error, context: Context) => Response {
  return (error, context) => {
    const known = error instanceof AgentError && isTold(error.code)
    const code: Told = known ? error.code : 'INTERNAL'
    if (!known) log.error({ err: error, path: context.req.path }, 'a request failed')
    if (code === 'CONSOLE_UNAUTHORISED') context.header('WWW-Authenticate', 'Basic realm="headgate"')
    const status = STATUS[code]
    const title = known ? error.message : 'the request failed'
    const body = { type: `urn:headgate:error:${code}`, title, status, code, hint: AGENT_ERRORS[code] }
    context.header('Content-Type', 'application/problem+json')
    return context.body(JSON.stringify(body), status)
  }
}

/** The value as the schema's type; every fault is named. @throws AgentError CONSOLE_REQUEST_INVALID */
export function checked<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(
    ({ path, message }) => `${path.length === 0 ? 'request' : path.map(String).join('.')}: ${message}`,
  )
  throw new AgentError('CONSOLE_REQUEST_INVALID', faults.join('; '))
}
