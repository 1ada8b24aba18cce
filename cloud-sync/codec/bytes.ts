import { SyncError } from '../contract/index.ts'

const malformed = (what: string): SyncError => new SyncError('SYNC_MESSAGE_MALFORMED', what)

/** Longest text the binary formats carry, bytes of UTF-8. */
const TEXT_BYTES_MAX = 64 * 1024
/** Longest varint of a bigint, bytes; 19 hold 133 bits. */
const BIG_VARINT_BYTES_MAX = 19
const VARINT_BYTES_MAX = 8
const WRITER_BYTES_FIRST = 256

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Appends numbers, texts and bytes to a growing buffer. */
export class ByteWriter {
  #bytes = new Uint8Array(WRITER_BYTES_FIRST)
  #length = 0

  byte(value: number): void {
    this.#room(1)
    this.#bytes[this.#length++] = value
  }

  bytes(value: Uint8Array): void {
    this.#room(value.length)
    this.#bytes.set(value, this.#length)
    this.#length += value.length
  }

  /** LEB128 of an integer from 0 to 2^53 - 1. */
  varint(value: number): void {
    let rest = value
    while (rest > 127) {
      this.byte((rest % 128) | 128)
      rest = Math.floor(rest / 128)
    }
    this.byte(rest)
  }

  /** LEB128 of a bigint from 0 on. */
  bigVarint(value: bigint): void {
    let rest = value
    while (rest > 127n) {
      this.byte(Number(rest & 127n) | 128)
      rest >>= 7n
    }
    this.byte(Number(rest))
  }

  /** Any safe integer: zig-zag, then LEB128. */
  signed(value: number): void {
    const big = BigInt(value)
    this.bigVarint(big >= 0n ? big << 1n : (-big << 1n) - 1n)
  }

  text(value: string): void {
    const utf8 = encoder.encode(value)
    this.varint(utf8.length)
    this.bytes(utf8)
  }

  /** An even number of hex digits as raw bytes, without a length. */
  hex(value: string): void {
    this.bytes(Buffer.from(value, 'hex'))
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #room(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const wider = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more))
    wider.set(this.#bytes)
    this.#bytes = wider
  }
}

/** The inverse of ByteWriter; every read is bounded and throws SYNC_MESSAGE_MALFORMED past the end. */
export class ByteReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  byte(): number {
    const value = this.#bytes[this.#at]
    if (value === undefined) throw malformed('The bytes end too early.')
    this.#at += 1
    return value
  }

  /** A view, not a copy. */
  bytes(count: number): Uint8Array {
    if (count > this.#bytes.length - this.#at) throw malformed('The bytes end too early.')
    const view = this.#bytes.subarray(this.#at, this.#at + count)
    this.#at += count
    return view
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (let read = 0; read < VARINT_BYTES_MAX; read += 1) {
      const next = this.byte()
      value += (next & 127) * scale
      if (next < 128) {
        if (!Number.isSafeInteger(value)) break
        return value
      }
      scale *= 128
    }
    throw malformed('A number is out of range.')
  }

  /** A varint that may not exceed `most`: a count or an index, checked before anything is allocated. */
  atMost(most: number): number {
    const value = this.varint()
    if (value > most) throw malformed('A count is out of range.')
    return value
  }

  bigVarint(): bigint {
    let value = 0n
    for (let read = 0; read < BIG_VARINT_BYTES_MAX; read += 1) {
      const next = this.byte()
      value |= BigInt(next & 127) << BigInt(7 * read)
      if (next < 128) return value
    }
    throw malformed('A number is out of range.')
  }

  signed(): number {
    const zigzag = this.bigVarint()
    const value = Number((zigzag & 1n) === 0n ? zigzag >> 1n : -((zigzag + 1n) >> 1n))
    if (!Number.isSafeInteger(value)) throw malformed('A number is out of range.')
    return value
  }

  text(): string {
    const utf8 = this.bytes(this.atMost(TEXT_BYTES_MAX))
    try {
      return decoder.decode(utf8)
    } catch (cause) {
      throw new SyncError('SYNC_MESSAGE_MALFORMED', 'A text is not UTF-8.', { cause })
    }
  }

  hex(count: number): string {
    return Buffer.from(this.bytes(count)).toString('hex')
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  rest(): Uint8Array {
    return this.bytes(this.#bytes.length - this.#at)
  }

  /** Refuses bytes after the last field: two spellings of one message must not exist. */
  end(): void {
    if (!this.isAtEnd) throw malformed('There are bytes after the end.')
  }
}
