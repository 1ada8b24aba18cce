/** MQTT 3.1.1 as bytes, written and split without any library, so that the broker is judged by nothing it is made of. */

export const CONNACK = 2
export const PUBLISH = 3
export const PUBACK = 4
export const PUBREC = 5
export const PUBREL = 6
export const PUBCOMP = 7
export const SUBACK = 9
export const UNSUBACK = 11

export interface ConnectFields {
  readonly clientId: string
  readonly clean?: boolean
  /** Seconds; 0 = none. */
  readonly keepAlive?: number
  readonly username?: string
  readonly password?: string
}

export interface PublishFields {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos?: 0 | 1 | 2
  readonly retain?: boolean
  readonly dup?: boolean
  /** Only for QoS 1 and 2. */
  readonly id?: number
}

const uint16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff])

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([uint16(bytes.length), bytes])
}

/** First byte and Remaining Length (section 2.2.3) of a packet with so many bytes after them. */
export function fixedHeader(first: number, length: number): Buffer {
  const bytes = [first]
  let rest = length
  do {
    bytes.push((rest % 128) + (rest >= 128 ? 0x80 : 0))
    rest = Math.floor(rest / 128)
  } while (rest > 0)
  return Buffer.from(bytes)
}

function packet(first: number, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([fixedHeader(first, length), ...parts])
}

export function connectPacket({ clientId, clean = true, keepAlive = 0, ...login }: ConnectFields): Buffer {
  const { username, password } = login
  const flags = (clean ? 2 : 0) | (username === undefined ? 0 : 0x80) | (password === undefined ? 0 : 0x40)
  const strings = [clientId, username, password].flatMap((value) =>
    value === undefined ? [] : [text(value)],
  )
  return packet(0x10, text('MQTT'), Buffer.from([4, flags]), uint16(keepAlive), ...strings)
}

export function publishPacket({ topic, payload, qos = 0, id = 0, ...flags }: PublishFields): Buffer {
  const first = 0x30 | (flags.dup === true ? 8 : 0) | (qos << 1) | (flags.retain === true ? 1 : 0)
  return packet(first, text(topic), ...(qos > 0 ? [uint16(id)] : []), payload)
}

export function subscribePacket(id: number, filters: readonly string[], qos: 0 | 1 | 2): Buffer {
  return packet(0x82, uint16(id), ...filters.flatMap((filter) => [text(filter), Buffer.from([qos])]))
}

export const unsubscribePacket = (id: number, filters: readonly string[]): Buffer =>
  packet(0xa2, uint16(id), ...filters.map(text))

/** PUBACK, PUBREC, PUBREL or PUBCOMP. */
export const ackPacket = (type: number, id: number): Buffer =>
  Buffer.from([(type << 4) | (type === PUBREL ? 2 : 0), 2, id >> 8, id & 0xff])

export const DISCONNECT_PACKET = Buffer.from([0xe0, 0])

/** A packet as it lies in what was read: `type` and `flags` of its first byte, its body from `start` to `end`. */
export interface Seen {
  type: number
  flags: number
  bytes: Buffer
  start: number
  end: number
}

/** Cuts a stream into packets. The one object it shows is used again for the next packet: nothing is made per packet. */
export class PacketSplitter {
  readonly #seen: Seen = { type: 0, flags: 0, bytes: Buffer.alloc(0), start: 0, end: 0 }
  readonly #onPacket: (seen: Seen) => void
  #rest: Buffer | undefined

  constructor(onPacket: (seen: Seen) => void) {
    this.#onPacket = onPacket
  }

  take(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    for (;;) {
      const next = this.#one(bytes, at)
      if (next === undefined) break
      at = next
    }
    this.#rest = at < bytes.length ? bytes.subarray(at) : undefined
  }

  /** Shows the packet at `at`; the place after it, or undefined where it is not there whole. */
  #one(bytes: Buffer, at: number): number | undefined {
    let length = 0
    let from = at + 1
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[from]
      if (byte === undefined) return undefined
      from += 1
      length += (byte & 0x7f) * factor
      if (byte < 0x80) break
    }
    if (from + length > bytes.length) return undefined
    const first = bytes[at] ?? 0
    const seen = this.#seen
    seen.type = first >> 4
    seen.flags = first & 0xf
    seen.bytes = bytes
    seen.start = from
    seen.end = from + length
    this.#onPacket(seen)
    return seen.end
  }
}

/** Quality of service of a PUBLISH. */
export const qosOf = ({ flags }: Seen): 0 | 1 | 2 => ((flags >> 1) & 3) as 0 | 1 | 2

/** Packet identifier: the first two bytes of an acknowledgement, after the topic in a PUBLISH with QoS. */
export function idOf(seen: Seen): number {
  const { type, bytes, start } = seen
  return bytes.readUInt16BE(type === PUBLISH ? start + 2 + bytes.readUInt16BE(start) : start)
}

export const topicOf = ({ bytes, start }: Seen): string =>
  bytes.toString('utf8', start + 2, start + 2 + bytes.readUInt16BE(start))

/** Where the payload of a PUBLISH begins. */
export const payloadStart = (seen: Seen): number =>
  seen.start + 2 + seen.bytes.readUInt16BE(seen.start) + (qosOf(seen) > 0 ? 2 : 0)
