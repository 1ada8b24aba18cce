import { decodeText } from './text.ts'
import { WireFault } from './wire-fault.ts'

/** Must be a power of two. */
const SLOTS = 1024
/** Longer topics are decoded anew each time; with SLOTS this bounds what is kept to 128 KiB. */
const KEPT_BYTES_MAX = 128

const PLUS = 0x2b
const HASH = 0x23

/**
 * Topic names that came before, by their bytes. A device repeats a few topics for years: finding the same string again
 * costs a comparison instead of a check, a decoding and a new string, and whoever uses it as a key finds its hash done.
 *
 * Each slot holds the last name that fell on it, and a name is given only for exactly its bytes, so the worst that
 * anybody's topics can do to another is to make them be decoded again.
 */
export class TopicNames {
  readonly #slots: (string | undefined)[] = new Array<undefined>(SLOTS).fill(undefined)

  /** @throws WireFault for what is not a topic name (section 4.7) */
  read(bytes: Buffer, at: number, end: number): string {
    const length = end - at
    if (length > KEPT_BYTES_MAX) return decodeTopicName(bytes, at, end)
    let hash = length
    for (let i = at; i < end; i += 1) hash = (Math.imul(hash, 31) + (bytes[i] ?? 0)) | 0
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1)
    const kept = this.#slots[slot]
    if (kept?.length === length && isSame(kept, bytes, at)) return kept
    const name = decodeTopicName(bytes, at, end)
    // A name outside of ASCII has fewer characters than bytes and is not found again; it is not kept.
    if (name.length === length) this.#slots[slot] = name
    return name
  }
}

/** Only ever true for ASCII: what is kept has as many characters as bytes. */
function isSame(kept: string, bytes: Buffer, at: number): boolean {
  for (let i = 0; i < kept.length; i += 1) if (kept.charCodeAt(i) !== bytes[at + i]) return false
  return true
}

/** @throws WireFault for what is not a topic name (section 4.7) */
export function decodeTopicName(bytes: Buffer, at: number, end: number): string {
  if (at === end) throw new WireFault('topic-empty') // [MQTT-4.7.3-1]
  const name = decodeText(bytes, at, end)
  for (let i = at; i < end; i += 1) {
    // [MQTT-3.3.2-2], [MQTT-4.7.1-1]; in UTF-8 these bytes are never a part of another character.
    if (bytes[i] === PLUS || bytes[i] === HASH) throw new WireFault('topic-wildcard')
  }
  return name
}
