import type { Body } from './body.ts'
import type { PublishPacket, Qos } from './packets.ts'
import type { TopicNames } from './topic-names.ts'

const DUP = 0x08
const RETAIN = 0x01

/** Reads a PUBLISH (section 3.3) whose flags have been checked. @throws WireFault */
export function readPublish(
  first: number,
  body: Body,
  from: { names: TopicNames; bytes: number },
): PublishPacket {
  const length = body.left
  const qos = ((first >> 1) & 3) as Qos
  const dup = (first & DUP) !== 0
  const retain = (first & RETAIN) !== 0
  const topic = body.topicName(from.names)
  if (qos === 0) {
    return { cmd: 'publish', topic, payload: body.rest(), qos, retain, dup, length, bytes: from.bytes }
  }
  const messageId = body.packetId()
  return {
    cmd: 'publish',
    topic,
    payload: body.rest(),
    qos,
    retain,
    dup,
    length,
    messageId,
    bytes: from.bytes,
  }
}
