import type { Context } from 'hono'
import { z } from 'zod'
import { API_ERRORS, type ApiErrorCode } from '../errors.ts'
import type { Log } from '../log.ts'

const STATUS = {
  API_UNAUTHORISED: 401,
  API_FORBIDDEN: 403,
  API_NOT_FOUND: 404,
  API_REQUEST_INVALID: 400,
  API_CONFLICT: 409,
  API_INTERNAL: 500,
} as const satisfies Record<ApiErrorCode, number>

/** A refusal on its way out; the caller sees code, sentence and hint, never a cause. */
export class ApiError extends Error {
  readonly code: ApiErrorCode
  constructor(code: ApiErrorCode, sentence: string, options?: ErrorOptions) {
    super(sentence, options)
    this.name = 'ApiError'
    this.code = code
  }
}

/** Answers any thrown error as problem+json (RFC 9457). */
export function problemFor(log: Log): (error: Error, c: Context) => Response {
  return (error, c) => {
    const known = error instanceof ApiError ? error : new ApiError('API_INTERNAL', 'the request failed')
    if (known.code === 'API_INTERNAL') log.error({ err: error, path: c.req.path }, 'request failed')
    if (known.code === 'API_UNAUTHORISED') c.header('WWW-Authenticate', 'Basic realm="headgate"')
    c.header('Content-Type', 'application/problem+json')
    const { code, message } = known
    const body = {
      type: `urn:headgate:error:${code}`,
      title: message,
      status: STATUS[code],
      code,
      hint: API_ERRORS[code],
    }
    return c.body(JSON.stringify(body), STATUS[code])
  }
}

/** The value as the schema's type; every fault is named. */
export function checked<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(({ path, message }) => {
    return `${path.length === 0 ? 'request' : path.map(String).join('.')}: ${message}`
  })
  throw new ApiError('API_REQUEST_INVALID', faults.join('; '))
}

/** An instant: whole epoch milliseconds, or ISO 8601 with a zone. */
export const Instant = z
  .union([
    z
      .string()
      .regex(/^-?\d{1,15}$/)
      .transform(Number),
    z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
  ])
  .describe('epoch milliseconds or ISO 8601 with a zone')
