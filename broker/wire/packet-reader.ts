import { Body } from './body.ts'
import { readConnect } from './connect.ts'
import { checkFirstByte, checkLength, PACKET_TYPES, type ProtocolVersion } from './fixed-header.ts'
import type { AckPacket, InPacket } from './packets.ts'
import { readPublish } from './publish.ts'
import { readSubscribe, readUnsubscribe } from './subscribe.ts'
import { TopicNames } from './topic-names.ts'
import { WireFault } from './wire-fault.ts'

/** Largest remaining lengths (section 2.2.3): bytes of a packet after its fixed header. */
export interface ReaderLimits {
  /** Until a CONNECT has been read: everything before the login is a stranger's. */
  readonly connectBytesMax: number
  readonly packetBytesMax: number
}

/** A remaining length has at most so many bytes (section 2.2.3). */
const LENGTH_BYTES_MAX = 4
const NOTHING = Buffer.alloc(0)

/** Shared by all connections: they name the same topics. */
const topicNames = new TopicNames()

/**
 * Reads what a client sends, strictly as MQTT 3.1.1 (or 3.1, where CONNECT says so) wants it: what is not allowed is a
 * WireFault with its clause, and after it the connection is to be closed. Push what comes from the socket, then take
 * packets until there is none; push again only then, so that never more waits than one packet and one chunk.
 *
 * The payload of a PUBLISH is a part of the chunk it came in and keeps all of that alive: whoever keeps a payload for
 * longer than it takes to pass it on copies it. Everything else in a packet is a copy.
 */
export class PacketReader {
  readonly #limits: ReaderLimits
  readonly #body = new Body()
  #version: ProtocolVersion = null
  #bytes: Buffer = NOTHING
  #at = 0
  #end = 0
  /** True where `#bytes` was made here, so that there may be room behind `#end`. */
  #isOwn = false
  /** So many bytes must wait before it is worth looking again. */
  #needed = 1
  #isOver = false
  #fault: Error | null = null

  constructor(limits: ReaderLimits) {
    this.#limits = limits
  }

  /** Bytes held that have not been given as packets. */
  get waiting(): number {
    return this.#end - this.#at
  }

  /** Takes the next bytes of the connection; the chunk must not change afterwards. */
  push(chunk: Buffer): void {
    if (this.#isOver || chunk.length === 0) return
    const waiting = this.waiting
    if (waiting === 0) {
      this.#hold(chunk, false)
      return
    }
    if (!this.#isOwn || this.#bytes.length - this.#end < chunk.length) this.#grow(waiting + chunk.length)
    chunk.copy(this.#bytes, this.#end)
    this.#end += chunk.length
  }

  /**
   * The next whole packet, or null until more bytes come. After a DISCONNECT always null: whatever comes behind it is
   * not read [MQTT-3.14.4-2].
   * @throws WireFault for bytes that are not allowed, and again at every later call
   */
  next(): InPacket | null {
    if (this.#fault !== null) throw this.#fault
    if (this.waiting < this.#needed) return null
    try {
      return this.#read()
    } catch (fault) {
      this.#fault = fault instanceof Error ? fault : new Error('no packet', { cause: fault })
      this.#finish()
      throw this.#fault
    }
  }

  #read(): InPacket | null {
    const first = this.#bytes[this.#at] ?? 0
    checkFirstByte(first, this.#version)
    const start = this.#readLength(first)
    if (start === -1) return this.#wait(this.waiting + 1)
    const end = start + this.#length
    if (end > this.#end) return this.#wait(end - this.#at)
    const bytes = end - this.#at
    this.#body.open(this.#bytes, start, end)
    const packet = this.#readBody(first, bytes)
    this.#body.expectEnd()
    this.#at = end
    this.#needed = 1
    if (this.#isOver) this.#finish()
    // A connection that is idle must not keep its last chunk alive.
    else if (end === this.#end) this.#hold(NOTHING, false)
    return packet
  }

  /** The remaining length of the packet, as #readLength has left it. */
  #length = 0

  /**
   * Where the variable header begins; -1 while the fixed header is not whole. Forms longer than need be pass: that
   * the shortest must be used came with MQTT 5 [MQTT-1.5.5-1 there]; section 2.2.3 of 3.1.1 does not say so.
   */
  #readLength(first: number): number {
    let length = 0
    for (let n = 1; n <= LENGTH_BYTES_MAX; n += 1) {
      const at = this.#at + n
      if (at >= this.#end) return -1
      const byte = this.#bytes[at] ?? 0
      length |= (byte & 0x7f) << (7 * (n - 1))
      // Before the rest of the length is there: it can only grow.
      if (length > this.#limit) throw new WireFault('too-large')
      if ((byte & 0x80) === 0) {
        checkLength(first >> 4, length)
        this.#length = length
        return at + 1
      }
    }
    throw new WireFault('remaining-length')
  }

  get #limit(): number {
    return this.#version === null ? this.#limits.connectBytesMax : this.#limits.packetBytesMax
  }

  #readBody(first: number, bytes: number): InPacket {
    const body = this.#body
    switch (first >> 4) {
      case PACKET_TYPES.publish:
        return readPublish(first, body, { names: topicNames, bytes })
      case PACKET_TYPES.puback:
        return ack('puback', body, bytes)
      case PACKET_TYPES.pubrec:
        return ack('pubrec', body, bytes)
      case PACKET_TYPES.pubrel:
        return ack('pubrel', body, bytes)
      case PACKET_TYPES.pubcomp:
        return ack('pubcomp', body, bytes)
      case PACKET_TYPES.subscribe:
        return readSubscribe(body, bytes)
      case PACKET_TYPES.unsubscribe:
        return readUnsubscribe(body, bytes)
      case PACKET_TYPES.pingreq:
        return { cmd: 'pingreq', bytes }
      case PACKET_TYPES.connect: {
        const packet = readConnect(body, bytes)
        this.#version = packet.protocolVersion
        return packet
      }
      default: // The first byte has been checked: a DISCONNECT.
        this.#isOver = true
        return { cmd: 'disconnect', bytes }
    }
  }

  /** Nothing whole is there. What waits is taken out of a chunk that is much larger, so as not to keep that alive. */
  #wait(needed: number): null {
    this.#needed = needed
    const waiting = this.waiting
    if (!this.#isOwn || waiting < this.#bytes.length / 4) this.#grow(waiting)
    return null
  }

  /** Moves what waits to bytes of our own with room for this many, twice that if so much is needed anyway. */
  #grow(size: number): void {
    // Not from the pool of small buffers, of which one that waits would keep 64 KiB alive.
    const grown = Buffer.allocUnsafeSlow(Math.max(size, Math.min(this.#needed, 2 * size)))
    const waiting = this.#bytes.copy(grown, 0, this.#at, this.#end)
    this.#hold(grown, true)
    this.#end = waiting
  }

  #hold(bytes: Buffer, isOwn: boolean): void {
    this.#bytes = bytes
    this.#at = 0
    this.#end = bytes.length
    this.#isOwn = isOwn
    this.#body.close() // it would keep the bytes alive that are let go here
  }

  #finish(): void {
    this.#isOver = true
    this.#hold(NOTHING, false)
  }
}

function ack(cmd: AckPacket['cmd'], body: Body, bytes: number): AckPacket {
  return { cmd, messageId: body.packetId(), bytes }
}
