import { decodeText } from './text.ts'
import { decodeTopicName, type TopicNames } from './topic-names.ts'
import { WireFault } from './wire-fault.ts'

/**
 * The bytes of one packet after its fixed header, taken from front to back. Taking more than there is throws the
 * WireFault `packet-length`: a field never reaches into the next packet.
 */
export class Body {
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0
  #end = 0

  /** One Body is used for all packets of a connection. */
  open(bytes: Buffer, at: number, end: number): void {
    this.#bytes = bytes
    this.#at = at
    this.#end = end
  }

  /** Lets go of the bytes. */
  close(): void {
    this.open(NOTHING, 0, 0)
  }

  get left(): number {
    return this.#end - this.#at
  }

  byte(): number {
    const at = this.#take(1)
    return this.#bytes[at] ?? 0
  }

  uint16(): number {
    const at = this.#take(2)
    return ((this.#bytes[at] ?? 0) << 8) | (this.#bytes[at + 1] ?? 0)
  }

  packetId(): number {
    const id = this.uint16()
    if (id === 0) throw new WireFault('packet-id') // [MQTT-2.3.1-1]
    return id
  }

  text(): string {
    const length = this.uint16()
    const at = this.#take(length)
    return decodeText(this.#bytes, at, at + length)
  }

  topicName(names?: TopicNames): string {
    const length = this.uint16()
    const at = this.#take(length)
    return names === undefined
      ? decodeTopicName(this.#bytes, at, at + length)
      : names.read(this.#bytes, at, at + length)
  }

  /** A copy of a field with its length before it: what it holds (a will, a password) is kept for long. */
  binary(): Buffer {
    const length = this.uint16()
    const at = this.#take(length)
    return Buffer.from(this.#bytes.subarray(at, at + length))
  }

  /** All that is left, as a part of the bytes read. */
  rest(): Buffer {
    const at = this.#at
    this.#at = this.#end
    return this.#bytes.subarray(at, this.#end)
  }

  expectEnd(): void {
    if (this.#at !== this.#end) throw new WireFault('packet-length')
  }

  #take(length: number): number {
    const at = this.#at
    if (length > this.#end - at) throw new WireFault('packet-length')
    this.#at = at + length
    return at
  }
}

const NOTHING = Buffer.alloc(0)
