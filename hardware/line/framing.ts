import type { Match } from '../protocol.ts'

/** More than any frame (Modbus ASCII: 513); what a talker sends beyond is given up, the oldest first. */
const RX_BYTES_MAX = 2_048

/** Whether the adapter gives back what is sent. Learnt, and shared by all exchanges of an open port. */
export interface EchoMemory {
  echoes: boolean
}

/**
 * What has come since a request, searched for its answer.
 *
 * Two-wire adapters may give back what is sent. A read's echo cannot be taken for its answer, but a write's can: they are
 * the same bytes. So the echo is learnt from reads and then taken off before an answer is looked for.
 */
export class AnswerFramer {
  readonly #tx: Uint8Array
  readonly #match: (rx: Uint8Array) => Match
  readonly #echo: EchoMemory
  #rx: Uint8Array = new Uint8Array(0)
  #awaitsEcho: boolean
  #tookEcho = false
  #strayBytes = 0
  #sawCrc = false

  constructor(tx: Uint8Array, match: (rx: Uint8Array) => Match, echo: EchoMemory) {
    this.#tx = tx
    this.#match = match
    this.#echo = echo
    this.#awaitsEcho = echo.echoes
  }

  /** Bytes that belonged to no answer and no echo; those after an answer count too. */
  get strayBytes(): number {
    return this.#strayBytes + this.#rx.length
  }

  /** A whole answer with a wrong checksum was among what came. */
  get sawCrc(): boolean {
    return this.#sawCrc
  }

  /** Takes bytes; returns the answer, once it is whole. */
  push(bytes: Uint8Array): Uint8Array | null {
    this.#rx = joined(this.#rx, bytes)
    if (this.#awaitsEcho && !this.#takeEchoOff()) return null
    const frame = this.#search()
    const excess = this.#rx.length - RX_BYTES_MAX
    if (excess > 0) this.#giveUp(excess)
    return frame
  }

  /** No answer came: what came instead may still show that there is an echo. */
  end(): void {
    if (!startsWith(this.#rx, this.#tx)) return
    this.#takeOff()
  }

  /** False while the echo is not yet whole. */
  #takeEchoOff(): boolean {
    const soFar = this.#tx.subarray(0, this.#rx.length)
    if (soFar.length < this.#tx.length && startsWith(this.#rx, soFar)) return false
    this.#awaitsEcho = false
    // Anything else is a damaged echo, or there is none any more: searched like all that comes.
    if (startsWith(this.#rx, this.#tx)) this.#takeOff()
    return true
  }

  #search(): Uint8Array | null {
    const found = this.#searchBehindEcho()
    if (found !== null) return found
    while (this.#rx.length > 0) {
      const match = this.#match(this.#rx)
      if ('frame' in match) return this.#accept(match.frame)
      if ('need' in match) return null
      if (match.reject === 'crc') this.#sawCrc = true
      // Only one byte: the length that a damaged frame claims may be the damage.
      this.#giveUp(1)
    }
    return null
  }

  /** An answer right behind our own bytes is how an echo is learnt. */
  #searchBehindEcho(): Uint8Array | null {
    if (this.#echo.echoes || this.#rx.length <= this.#tx.length || !startsWith(this.#rx, this.#tx))
      return null
    const rest = this.#rx.subarray(this.#tx.length)
    const match = this.#match(rest)
    if (!('frame' in match) || match.frame[0] !== 0) return null
    this.#takeOff()
    return this.#accept(match.frame)
  }

  #takeOff(): void {
    this.#echo.echoes = true
    this.#tookEcho = true
    this.#rx = this.#rx.subarray(this.#tx.length)
  }

  #accept([start, end]: readonly [number, number]): Uint8Array {
    const frame = this.#rx.slice(start, end)
    // An answer without an echo before it: the adapter was changed.
    if (!this.#tookEcho && start === 0 && this.#strayBytes === 0) this.#echo.echoes = false
    this.#strayBytes += start
    this.#rx = this.#rx.subarray(end)
    return frame
  }

  #giveUp(count: number): void {
    this.#strayBytes += count
    this.#rx = this.#rx.subarray(count)
  }
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return bytes.length >= start.length && start.every((byte, index) => bytes[index] === byte)
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second
  const both = new Uint8Array(first.length + second.length)
  both.set(first)
  both.set(second, first.length)
  return both
}
