import { type Hash, LINK_PAYLOAD_BYTES_MAX } from '../../contract/index.ts'
import { ByteReader, ByteWriter } from '../bytes.ts'
import { sha256 } from '../keys.ts'
import { POLICY_BYTES_MAX, readable } from './body.ts'

/** First byte of a part where a whole snapshot has a 1, a delta a 2 and a file a 3. */
const CHUNK = 4
const HASH_BYTES = 32
/** Besides the part itself: the byte, which of how many, and the hash. */
const HEAD_BYTES_MAX = 1 + 2 + 2 + HASH_BYTES
const PART_BYTES_MAX = LINK_PAYLOAD_BYTES_MAX - HEAD_BYTES_MAX
/** No policy needs more: compressed it is never larger than its text by more than a frame. */
const PARTS_MAX = Math.ceil(POLICY_BYTES_MAX / PART_BYTES_MAX) + 1
/** Policies that are put together at once: the one that is being sent and the next one. */
const UNFINISHED_MAX = 2

/** A policy as it travels: one message where it fits, else parts that name the whole by its SHA-256. */
export function chunkPolicy(message: Uint8Array): Uint8Array[] {
  if (message.length <= LINK_PAYLOAD_BYTES_MAX) return [message]
  const count = Math.ceil(message.length / PART_BYTES_MAX)
  const hash = sha256(message)
  return Array.from({ length: count }, (_, index) => {
    const writer = new ByteWriter()
    writer.byte(CHUNK)
    writer.varint(index)
    writer.varint(count)
    writer.hex(hash)
    writer.bytes(message.subarray(index * PART_BYTES_MAX, (index + 1) * PART_BYTES_MAX))
    return writer.finish()
  })
}

export const isPolicyChunk = (bytes: Uint8Array): boolean => bytes[0] === CHUNK

export type Joining =
  /** The whole, as it was sealed: its signature is the next one's to check. */
  | { readonly state: 'whole'; readonly message: Uint8Array }
  /** More parts are to come. */
  | { readonly state: 'waiting' }
  /** No part of anything, or parts that together are not what they say. */
  | { readonly state: 'refused' }

interface Unfinished {
  readonly parts: (Uint8Array | undefined)[]
  missing: number
}

/**
 * Puts parts together, in whatever order and however often they come. Parts are not signed: nothing is believed of
 * them but that together they have the hash that each names; parts of two policies never mix, and of unfinished ones the
 * oldest is forgotten, so that nobody fills the memory.
 */
export class PolicyChunks {
  readonly #unfinished = new Map<Hash, Unfinished>()

  /** Whether something that began is not whole yet. */
  get isWaiting(): boolean {
    return this.#unfinished.size > 0
  }

  take(bytes: Uint8Array): Joining {
    const chunk = readable(() => read(bytes))
    if (chunk === undefined) return { state: 'refused' }
    const { hash, index, count, part } = chunk
    const begun = this.#unfinished.get(hash) ?? this.#begin(hash, count)
    if (begun.parts.length !== count) return { state: 'refused' }
    if (begun.parts[index] === undefined) begun.missing -= 1
    begun.parts[index] = part
    if (begun.missing > 0) return { state: 'waiting' }
    this.#unfinished.delete(hash)
    const message = Buffer.concat(begun.parts.filter((one) => one !== undefined))
    return sha256(message) === hash ? { state: 'whole', message } : { state: 'refused' }
  }

  /** Forgets what began: it will be asked for anew. */
  clear(): void {
    this.#unfinished.clear()
  }

  #begin(hash: Hash, count: number): Unfinished {
    const [oldest] = this.#unfinished.keys()
    if (this.#unfinished.size >= UNFINISHED_MAX && oldest !== undefined) this.#unfinished.delete(oldest)
    const begun = { parts: Array.from({ length: count }, () => undefined), missing: count }
    this.#unfinished.set(hash, begun)
    return begun
  }
}

/** Throws where it is no part that `chunkPolicy` could have made. */
function read(bytes: Uint8Array): { hash: Hash; index: number; count: number; part: Uint8Array } {
  const reader = new ByteReader(bytes)
  if (reader.byte() !== CHUNK) throw new Error('no part of a policy')
  const index = reader.atMost(PARTS_MAX)
  const count = reader.atMost(PARTS_MAX)
  const hash = reader.hex(HASH_BYTES) as Hash
  const part = reader.rest()
  const isLast = index === count - 1
  const fits = isLast ? part.length <= PART_BYTES_MAX : part.length === PART_BYTES_MAX
  if (index >= count || count < 2 || part.length === 0 || !fits) throw new Error('no part of a policy')
  // A copy: the rest of the packet need not stay.
  return { hash, index, count, part: Uint8Array.from(part) }
}
