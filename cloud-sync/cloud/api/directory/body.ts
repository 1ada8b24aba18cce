import type { Context } from 'hono'
import { assertNoNul } from '../nul.ts'
import { ApiError } from '../problem.ts'

type Fields = Readonly<Record<string, unknown>>

/** Reads the body as one JSON object of at most `bytesMax` bytes; throws API_CONTENT_TYPE, API_BODY_TOO_LARGE, API_REQUEST_INVALID. */
export async function jsonBody(c: Context, bytesMax: number): Promise<Fields> {
  const type = c.req.header('Content-Type') ?? ''
  if (!/^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.test(type))
    throw new ApiError('API_CONTENT_TYPE', 'the body is not application/json')
  if ((c.req.header('Content-Encoding') ?? 'identity').toLowerCase() !== 'identity')
    throw new ApiError('API_CONTENT_TYPE', 'the body is encoded')
  const value = parsed(await bytesOf(c, bytesMax))
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ApiError('API_REQUEST_INVALID', 'the body is not a JSON object')
  return value as Fields
}

/** For requests that have none: something that nobody reads is a mistake of who sends it. */
export async function noBody(c: Context): Promise<void> {
  if ((await bytesOf(c, 0)).length > 0) throw new ApiError('API_REQUEST_INVALID', 'there is no body here')
}

/** Not a byte more is kept than may come, whatever Content-Length says. */
export async function bytesOf(c: Context, bytesMax: number): Promise<Uint8Array> {
  const tooLarge = (): ApiError =>
    bytesMax === 0
      ? new ApiError('API_REQUEST_INVALID', 'there is no body here')
      : // What still comes of it is not read: the connection ends with the answer.
        new ApiError('API_BODY_TOO_LARGE', `the body has at most ${bytesMax} bytes`, {
          headers: { Connection: 'close' },
        })
  if (Number(c.req.header('Content-Length') ?? 0) > bytesMax) throw tooLarge()
  const pieces: Uint8Array[] = []
  let length = 0
  const body: AsyncIterable<Uint8Array> | null = c.req.raw.body
  for await (const piece of body ?? []) {
    length += piece.byteLength
    if (length > bytesMax) throw tooLarge()
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

function parsed(bytes: Uint8Array): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    assertNoNul(text)
    return JSON.parse(text) as unknown
  } catch (cause) {
    if (cause instanceof ApiError) throw cause
    throw new ApiError('API_REQUEST_INVALID', 'the body is not JSON in UTF-8', { cause })
  }
}
