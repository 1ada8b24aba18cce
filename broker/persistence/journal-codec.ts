import type { JournalEntry } from './message-store.ts'

// An entry: flags (1 byte), message identifier (2), then, unless it is the same as of the entry before it: client id and
// principal id, topic (each its length in 2 bytes and its UTF-8), then the payload (its length in 4 bytes). Big endian.
const QOS_BITS = 0x03
const RETAIN = 0x04
const SAME_CLIENT = 0x08
const SAME_TOPIC = 0x10
const FIXED_BYTES = 1 + 2 + 3 * 2 + 4
const UTF8_BYTES_MAX = 3
const FIRST_BYTES = 8 * 1024

/** Entries one after the other in one growing buffer; what repeats from one to the next is left out. */
export class EntryWriter {
  #buffer = Buffer.allocUnsafe(FIRST_BYTES)
  #used = 0
  #clientId: string | undefined
  #principalId = ''
  #topic: string | undefined

  get used(): number {
    return this.#used
  }

  add(entry: JournalEntry): void {
    const { clientId, principalId, topic, payload, messageId } = entry
    const strings = (clientId.length + principalId.length + topic.length) * UTF8_BYTES_MAX
    this.#reserve(FIXED_BYTES + strings + payload.length)
    const sameClient = clientId === this.#clientId && principalId === this.#principalId
    const sameTopic = topic === this.#topic
    const flags =
      entry.qos | (entry.retain ? RETAIN : 0) | (sameClient ? SAME_CLIENT : 0) | (sameTopic ? SAME_TOPIC : 0)
    let at = this.#buffer.writeUInt8(flags, this.#used)
    at = this.#buffer.writeUInt16BE(messageId, at)
    if (!sameClient) at = this.#text(principalId, this.#text(clientId, at))
    if (!sameTopic) at = this.#text(topic, at)
    at = this.#buffer.writeUInt32BE(payload.length, at)
    this.#buffer.set(payload, at)
    this.#used = at + payload.length
    this.#clientId = clientId
    this.#principalId = principalId
    this.#topic = topic
  }

  /** A view; the next `add` may leave it behind. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#used)
  }

  #text(text: string, at: number): number {
    const length = this.#buffer.write(text, at + 2)
    this.#buffer.writeUInt16BE(length, at)
    return at + 2 + length
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#used + bytes))
    this.#buffer.copy(larger, 0, 0, this.#used)
    this.#buffer = larger
  }
}

/** Reads the entries of one row in order. Payloads are views. */
export class EntryReader {
  #at = 0
  #clientId = ''
  #principalId = ''
  #topic = ''

  /** The next entry; undefined at the end of the bytes, which may have grown by the next call. RangeError where they are cut. */
  next(bytes: Buffer): JournalEntry | undefined {
    if (this.#at >= bytes.length) return undefined
    const flags = bytes.readUInt8(this.#at)
    const messageId = bytes.readUInt16BE(this.#at + 1)
    this.#at += 3
    if ((flags & SAME_CLIENT) === 0) {
      this.#clientId = this.#text(bytes)
      this.#principalId = this.#text(bytes)
    }
    if ((flags & SAME_TOPIC) === 0) this.#topic = this.#text(bytes)
    const from = this.#at + 4
    this.#at = whole(bytes, from + bytes.readUInt32BE(this.#at))
    return {
      principalId: this.#principalId,
      clientId: this.#clientId,
      messageId,
      topic: this.#topic,
      payload: bytes.subarray(from, this.#at),
      qos: (flags & QOS_BITS) as JournalEntry['qos'],
      retain: (flags & RETAIN) !== 0,
    }
  }

  #text(bytes: Buffer): string {
    const from = this.#at + 2
    this.#at = whole(bytes, from + bytes.readUInt16BE(this.#at))
    return bytes.toString('utf8', from, this.#at)
  }
}

function whole(bytes: Buffer, end: number): number {
  if (end > bytes.length) throw new RangeError('a journal entry is cut')
  return end
}
