import type { Context } from 'hono'
import { z } from 'zod'
import { BILLING_ERRORS, type BillingErrorCode } from '../billing/index.ts'
import { DIRECTORY_ERRORS, type DirectoryErrorCode } from '../directory/index.ts'
import { INVOICING_ERRORS, type InvoicingErrorCode } from '../invoicing/index.ts'
import { API_ERRORS, type ApiErrorCode } from '../errors.ts'
import type { Log } from '../log.ts'

export type ProblemCode = ApiErrorCode | BillingErrorCode | DirectoryErrorCode | InvoicingErrorCode

const OWN_STATUS = {
  API_UNAUTHORISED: 401,
  API_FORBIDDEN: 403,
  API_NOT_FOUND: 404,
  API_REQUEST_INVALID: 400,
  API_CONFLICT: 409,
  API_INTERNAL: 500,
  API_METHOD_NOT_ALLOWED: 405,
  API_CONTENT_TYPE: 415,
  API_BODY_TOO_LARGE: 413,
  API_IDEMPOTENCY_KEY_MISSING: 400,
  API_RATE_LIMITED: 429,
  API_CROSS_SITE: 403,
  API_SESSION_NEEDED: 403,
} as const satisfies Record<ApiErrorCode, number>

/** What is not named here is a conflict with how things stand. */
const DIRECTORY_STATUS = {
  DIRECTORY_INPUT_INVALID: 400,
  DIRECTORY_FORBIDDEN: 403,
  DIRECTORY_ABOVE_RANK: 403,
  DIRECTORY_NO_POLICY: 403,
  DIRECTORY_ADDRESS_UNPROVEN: 403,
  DIRECTORY_CLAIM_REFUSED: 403,
  DIRECTORY_NOT_FOUND: 404,
  DIRECTORY_INVITATION_INVALID: 404,
  // A step-up: who asks is known, what they may not do is this without the password. A sign-in makes it 401.
  DIRECTORY_PASSWORD_WRONG: 403,
  DIRECTORY_SIGNED_OUT: 401,
  DIRECTORY_TOO_MANY_TRIES: 429,
  DIRECTORY_BUSY: 429,
  DIRECTORY_PRESET_FORBIDS: 422,
  DIRECTORY_UNCHANGEABLE: 422,
  DIRECTORY_LOG_BROKEN: 500,
  DIRECTORY_MAIL_FAILED: 500,
} as const satisfies Partial<Record<DirectoryErrorCode, number>>

const BILLING_STATUS = {
  BILLING_PRICES_INVALID: 400,
  INVOICING_INPUT_INVALID: 400,
  INVOICING_NOT_FOUND: 404,
  INVOICING_PROVIDER_FAILED: 502,
  INVOICING_WEBHOOK_REFUSED: 400,
} as const satisfies Partial<Record<BillingErrorCode | InvoicingErrorCode, number>>

const STATUS: Readonly<Partial<Record<ProblemCode, Status>>> = {
  ...OWN_STATUS,
  ...DIRECTORY_STATUS,
  ...BILLING_STATUS,
}
type Status =
  | (typeof OWN_STATUS)[ApiErrorCode]
  | (typeof DIRECTORY_STATUS)[keyof typeof DIRECTORY_STATUS]
  | (typeof BILLING_STATUS)[keyof typeof BILLING_STATUS]

/** Every code that may leave, with its hint. */
export const HINTS: Readonly<Record<ProblemCode, string>> = {
  ...API_ERRORS,
  ...DIRECTORY_ERRORS,
  ...BILLING_ERRORS,
  ...INVOICING_ERRORS,
}

/** One thing that is wrong with a request. */
interface Fault {
  /** JSON pointer (RFC 6901) as a URI fragment, `#/email`; `#` = the request itself. */
  readonly pointer: string
  readonly detail: string
}

interface ApiErrorOptions extends ErrorOptions {
  /** Where the code's own status does not fit. */
  readonly status?: Status
  readonly headers?: Readonly<Record<string, string>>
  readonly faults?: readonly Fault[]
}

/** A refusal on its way out; the caller sees code, sentence and hint, never a cause. */
export class ApiError extends Error {
  readonly code: ProblemCode
  readonly status: Status
  readonly headers: Readonly<Record<string, string>>
  readonly faults: readonly Fault[]
  constructor(code: ProblemCode, sentence: string, options: ApiErrorOptions = {}) {
    super(sentence, options)
    this.name = 'ApiError'
    this.code = code
    this.status = options.status ?? STATUS[code] ?? 409
    this.headers = options.headers ?? {}
    this.faults = options.faults ?? []
  }
}

/** At the latest then the tries of a password or an address count anew, seconds. */
const TRIES_WINDOW_S = 15 * 60
/** What is worked off of a full queue of passwords until then, seconds. */
const BUSY_S = 5
const RETRY_AFTER_S: Partial<Readonly<Record<ProblemCode, number>>> = {
  DIRECTORY_TOO_MANY_TRIES: TRIES_WINDOW_S,
  DIRECTORY_BUSY: BUSY_S,
}

/** Answers any thrown error as problem+json (RFC 9457). */
export function problemFor(log: Log): (error: Error, c: Context) => Response {
  return (error, c) => {
    const known = error instanceof ApiError ? error : new ApiError('API_INTERNAL', 'the request failed')
    const { code, status, faults, message } = known
    if (status >= 500) log.error({ err: error, path: c.req.path }, 'request failed')
    if (status === 401) c.header('WWW-Authenticate', challengeFor(c))
    const retryAfter = RETRY_AFTER_S[code]
    if (retryAfter !== undefined) c.header('Retry-After', String(retryAfter))
    for (const [name, value] of Object.entries(known.headers)) c.header(name, value)
    c.header('Content-Type', 'application/problem+json')
    const body = {
      type: `urn:headgate:error:${code}`,
      // The same for every occurrence (RFC 9457, 3.1.3); `detail` is about this one.
      title: code.toLowerCase().replaceAll('_', ' '),
      status,
      detail: message,
      code,
      hint: HINTS[code],
      ...(faults.length === 0 ? {} : { errors: faults }),
    }
    return c.body(JSON.stringify(body), status)
  }
}

/** The value as the schema's type; every fault is named. */
export function checked<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(({ path, message }) => ({
    pointer: ['#', ...path.map(pointed)].join('/'),
    detail: message,
  }))
  const named = parsed.error.issues.map(({ path, message }) => {
    return `${path.length === 0 ? 'request' : path.map(String).join('.')}: ${message}`
  })
  throw new ApiError('API_REQUEST_INVALID', named.join('; '), { faults })
}

const pointed = (key: PropertyKey): string =>
  encodeURIComponent(String(key).replaceAll('~', '~0').replaceAll('/', '~1'))

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

/** A browser would ask for a login in a window of its own, over a page whose script has a form for it. */
function challengeFor(c: Context): string {
  const mode = c.req.header('Sec-Fetch-Mode') ?? 'navigate'
  return mode === 'navigate' ? 'Basic realm="headgate", charset="UTF-8"' : 'Bearer realm="headgate"'
}
