import { SyncError } from '../contract/index.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const toJson = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value))

/** A parser of contract/: the safeParse of a zod schema. */
export interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: Error }
}

/** Parses UTF-8 JSON strictly; throws SYNC_MESSAGE_MALFORMED. */
export function fromJson<T>(schema: Schema<T>, bytes: Uint8Array): T {
  let value: unknown
  try {
    value = JSON.parse(decoder.decode(bytes))
  } catch (cause) {
    throw new SyncError('SYNC_MESSAGE_MALFORMED', 'The message is not JSON.', { cause })
  }
  return checked(schema, value)
}

/** The value as the schema's type; throws SYNC_MESSAGE_MALFORMED. */
export function checked<T>(schema: Schema<T>, value: unknown): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw new SyncError('SYNC_MESSAGE_MALFORMED', 'The message has other fields than agreed.', {
    cause: result.error,
  })
}
