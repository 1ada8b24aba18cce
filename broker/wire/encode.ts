import type { AckPacket, Qos } from './packets.ts'

const STRING_BYTES_MAX = 65_535
const REMAINING_LENGTH_MAX = 268_435_455

const PUBLISH = 0x30
const DUP = 0x08
const ACKS = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 } as const

export interface OutPublish {
  /** As text, or as the UTF-8 bytes of it where it is sent many times. */
  readonly topic: string | Buffer
  readonly payload: Buffer
  readonly qos: Qos
  readonly retain: boolean
  readonly dup: boolean
  /** 1 to 65535; not written with QoS 0. */
  readonly messageId?: number | undefined
}

/** A PUBLISH (section 3.3) in one buffer of its own. @throws RangeError where it does not fit the protocol */
export function encodePublish(packet: OutPublish): Buffer {
  const { topic, payload, qos } = packet
  const topicBytes = typeof topic === 'string' ? Buffer.byteLength(topic) : topic.length
  const length = 2 + topicBytes + (qos === 0 ? 0 : 2) + payload.length
  if (topicBytes > STRING_BYTES_MAX || length > REMAINING_LENGTH_MAX)
    throw new RangeError('too large for MQTT')
  const bytes = Buffer.allocUnsafe(1 + lengthOfLength(length) + length)
  bytes[0] = PUBLISH | (packet.dup ? DUP : 0) | (qos << 1) | (packet.retain ? 1 : 0)
  let at = writeLength(bytes, length)
  bytes[at] = topicBytes >> 8
  bytes[at + 1] = topicBytes & 0xff
  at += 2
  if (typeof topic === 'string') bytes.write(topic, at, topicBytes, 'utf8')
  else bytes.set(topic, at)
  at += topicBytes
  if (qos !== 0) {
    writeId(bytes, at, packet.messageId)
    at += 2
  }
  bytes.set(payload, at)
  return bytes
}

/** A PUBACK, PUBREC, PUBREL or PUBCOMP (sections 3.4 to 3.7). @throws RangeError for an id of 0 */
export function encodeAck(cmd: AckPacket['cmd'], messageId: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes[0] = ACKS[cmd]
  bytes[1] = 2
  writeId(bytes, 2, messageId)
  return bytes
}

/** [MQTT-2.3.1-1]: a client may close on an id of 0. */
function writeId(bytes: Buffer, at: number, id: number | undefined): void {
  if (id === undefined || id < 1 || id > 0xffff) throw new RangeError('a packet id is 1 to 65535')
  bytes[at] = id >> 8
  bytes[at + 1] = id & 0xff
}

function lengthOfLength(length: number): number {
  if (length < 128) return 1
  if (length < 16_384) return 2
  return length < 2_097_152 ? 3 : 4
}

/** Section 2.2.3. Returns where the variable header begins. */
function writeLength(bytes: Buffer, length: number): number {
  let at = 1
  let left = length
  while (left > 127) {
    bytes[at] = (left & 0x7f) | 0x80
    left >>>= 7
    at += 1
  }
  bytes[at] = left
  return at + 1
}
