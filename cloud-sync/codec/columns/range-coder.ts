import { SyncError } from '../../contract/index.ts'

/**
 * Adaptive binary range coder (after G. N. N. Martin, 1979, with the carry handling of LZMA). Encoder and decoder have
 * one interface: the encoder writes what it is given and returns it, the decoder ignores it and returns what was
 * written. So a format is one function for both ways and cannot disagree with itself.
 *
 * Only 32-bit integer arithmetic decides: the bytes are the same on every machine and in every version of Node.
 */
export interface BitCoder {
  readonly decoding: boolean
  /** One bit under an adaptive probability. */
  bit(context: number, bit: number): number
  /** `count` (0 to 16) bits that are as likely 0 as 1. */
  even(count: number, value: number): number
}

/** Probabilities of a 1, in 1/32768, and how often each was adapted. */
export interface Models {
  readonly ones: Uint16Array
  readonly seen: Uint8Array
}

const PROBABILITY_BITS = 15
const ONE = 1 << PROBABILITY_BITS
/** Adaptions after which a probability moves by a fixed share. */
const SEEN_MAX = 100
/** Share by which a probability moves, in 1/65536, by how often it has moved. */
const RATES = Uint16Array.from({ length: SEEN_MAX + 1 }, (_, seen) => Math.round(65_536 / (seen + 2)))
/** A probability never gets closer to 0 or 1 than this, in 1/32768. */
const LEAST = 24
/** Below this the range gives out its top byte. */
const RANGE_MIN = 2 ** 24
const CODE_BYTES = 4

/** Contexts that know nothing yet: even odds. */
export function evenModels(count: number): Models {
  return { ones: new Uint16Array(count).fill(ONE / 2), seen: new Uint8Array(count) }
}

/** A probability as the models keep it. */
export const toModel = (probability: number): number =>
  Math.min(ONE - LEAST, Math.max(LEAST, Math.round(probability * ONE)))

function adapt({ ones, seen }: Models, context: number, bit: number): void {
  const p = ones[context] ?? 0
  const count = seen[context] ?? 0
  const moved = p + ((((bit === 1 ? ONE : 0) - p) * (RATES[count] ?? 0)) >> 16)
  ones[context] = moved < LEAST ? LEAST : moved > ONE - LEAST ? ONE - LEAST : moved
  if (count < SEEN_MAX) seen[context] = count + 1
}

export class RangeEncoder implements BitCoder {
  readonly decoding = false
  readonly #models: Models
  #out = new Uint8Array(256)
  #length = 0
  /** Up to 2^32 + range: a carry is seen as a value from 2^32 on. */
  #low = 0
  #range = 0xffffffff
  #shifts = 0
  #cache = 0
  /** Bytes 0xff that a carry would turn into 0x00. */
  #pending = 0

  /** The models are changed as the coder learns; give it a copy. */
  constructor(models: Models) {
    this.#models = models
  }

  bit(context: number, bit: number): number {
    const bound = (this.#range >>> PROBABILITY_BITS) * (this.#models.ones[context] ?? 0)
    if (bit === 1) {
      this.#range = bound
    } else {
      this.#low += bound
      this.#range -= bound
    }
    adapt(this.#models, context, bit)
    while (this.#range < RANGE_MIN) this.#shift()
    return bit
  }

  even(count: number, value: number): number {
    const share = this.#range >>> count
    this.#low += share * value
    this.#range = share
    while (this.#range < RANGE_MIN) this.#shift()
    return value
  }

  /** The bytes: as few as tell the last interval from its neighbours; the decoder reads zeros after them. */
  finish(): Uint8Array {
    let bytes = 0
    let end = this.#low
    for (; bytes < CODE_BYTES; bytes += 1) {
      const unit = 2 ** (8 * (CODE_BYTES - bytes))
      end = Math.ceil(this.#low / unit) * unit
      if (end < this.#low + this.#range) break
    }
    this.#low = bytes === CODE_BYTES ? this.#low : end
    const length = this.#shifts + bytes
    for (let flushed = 0; flushed <= CODE_BYTES; flushed += 1) this.#shift()
    return this.#out.slice(0, length)
  }

  #shift(): void {
    if (this.#low < 0xff000000 || this.#low > 0xffffffff) {
      const carry = this.#low > 0xffffffff ? 1 : 0
      // The first byte given out stands before the point: the code is below 1, so it is always 0.
      if (this.#shifts > 0) this.#push(this.#cache + carry)
      for (; this.#pending > 0; this.#pending -= 1) this.#push(0xff + carry)
      this.#cache = (this.#low >>> 24) & 0xff
    } else {
      this.#pending += 1
    }
    this.#shifts += 1
    this.#low = (this.#low & 0x00ffffff) * 256
    this.#range = (this.#range << 8) >>> 0
  }

  #push(byte: number): void {
    if (this.#length === this.#out.length) {
      const wider = new Uint8Array(this.#out.length * 2)
      wider.set(this.#out)
      this.#out = wider
    }
    this.#out[this.#length] = byte & 0xff
    this.#length += 1
  }
}

export class RangeDecoder implements BitCoder {
  readonly decoding = true
  readonly #models: Models
  readonly #bytes: Uint8Array
  #at = 0
  #code = 0
  #range = 0xffffffff

  constructor(models: Models, bytes: Uint8Array) {
    this.#models = models
    this.#bytes = bytes
    for (let read = 0; read < CODE_BYTES; read += 1) this.#next()
  }

  bit(context: number): number {
    const bound = (this.#range >>> PROBABILITY_BITS) * (this.#models.ones[context] ?? 0)
    const bit = this.#code < bound ? 1 : 0
    if (bit === 1) {
      this.#range = bound
    } else {
      this.#code -= bound
      this.#range -= bound
    }
    adapt(this.#models, context, bit)
    while (this.#range < RANGE_MIN) this.#shift()
    return bit
  }

  even(count: number): number {
    const share = this.#range >>> count
    const value = Math.min(Math.floor(this.#code / share), 2 ** count - 1)
    this.#code -= share * value
    this.#range = share
    while (this.#range < RANGE_MIN) this.#shift()
    return value
  }

  /** Throws where the bytes were cut short or go on: a valid blob is read to its end and at most 4 bytes on. */
  finish(): void {
    if (this.#at < this.#bytes.length) {
      throw new SyncError('SYNC_MESSAGE_MALFORMED', 'There are bytes after the end.')
    }
    this.check()
  }

  /** Throws where reading went past the end; long loops ask now and then, so that no blob costs more than its size. */
  check(): void {
    if (this.#at > this.#bytes.length + CODE_BYTES) {
      throw new SyncError('SYNC_MESSAGE_MALFORMED', 'The bytes end too early.')
    }
  }

  #shift(): void {
    this.#range = (this.#range << 8) >>> 0
    this.#next()
  }

  #next(): void {
    this.#code = ((this.#code << 8) | (this.#bytes[this.#at] ?? 0)) >>> 0
    this.#at += 1
  }
}
