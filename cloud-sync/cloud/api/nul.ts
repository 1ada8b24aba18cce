import type { MiddlewareHandler } from 'hono'
import { ApiError } from './problem.ts'

const NUL = '\0'
/** An escape of it in JSON, the backslash not being one that was escaped itself. */
const ESCAPED = /(?<!\\)(?:\\\\)*\\u0000/

/**
 * U+0000 is in no text that anybody means, and PostgreSQL keeps none with it (22021): what holds it is refused where it
 * comes in, by whatever way. @throws API_REQUEST_INVALID
 */
export const withoutNul: MiddlewareHandler = async (c, next) => {
  if (c.req.url.includes('%00')) throw holdsNul()
  await next()
}

/** The same for the text of a JSON body. @throws API_REQUEST_INVALID */
export function assertNoNul(json: string): void {
  if (ESCAPED.test(json)) throw holdsNul()
}

/** Whether decoded text holds it, as credentials or cursors do after base64. */
export const hasNul = (text: string): boolean => text.includes(NUL)

const holdsNul = (): ApiError => new ApiError('API_REQUEST_INVALID', 'U+0000 is in no text here')
