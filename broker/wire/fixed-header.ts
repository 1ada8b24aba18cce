import { WireFault } from './wire-fault.ts'

/** Control packet types that a client sends (section 2.2.1). */
export const PACKET_TYPES = {
  connect: 1,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  unsubscribe: 10,
  pingreq: 12,
  disconnect: 14,
} as const

/** 4 is MQTT 3.1.1, 3 is MQTT 3.1; null until the CONNECT has been read. */
export type ProtocolVersion = 3 | 4 | null

const PUBLISH_DUP = 0x08
const DUP_3_1 = 0x08

/**
 * The flags each type must have (section 2.2.2), by its number; PUBLISH is told apart by its own rules. No entry: 0 and
 * 15 are reserved, CONNACK, SUBACK, UNSUBACK and PINGRESP come from servers only.
 */
const FLAGS: readonly (number | undefined)[] = Array.from({ length: 16 }, (_, type) => {
  switch (type) {
    case PACKET_TYPES.pubrel: // [MQTT-3.6.1-1]
    case PACKET_TYPES.subscribe: // [MQTT-3.8.1-1]
    case PACKET_TYPES.unsubscribe: // [MQTT-3.10.1-1]
      return 2
    default: // DISCONNECT among them [MQTT-3.14.1-1]
      return Object.values<number>(PACKET_TYPES).includes(type) ? 0 : undefined
  }
})

/** Checks the first byte of a packet: its type, its turn, its flags. @throws WireFault */
export function checkFirstByte(first: number, version: ProtocolVersion): void {
  const type = first >> 4
  const flags = first & 0x0f
  if (version === null) {
    if (type !== PACKET_TYPES.connect) throw new WireFault('not-connect') // [MQTT-3.1.0-1]
  } else if (type === PACKET_TYPES.connect) {
    throw new WireFault('second-connect') // [MQTT-3.1.0-2]
  }
  if (type === PACKET_TYPES.publish) {
    checkPublishFlags(flags)
    return
  }
  const wanted = FLAGS[type]
  if (wanted === undefined) throw new WireFault('packet-type')
  // MQTT 3.1 sends PUBREL, SUBSCRIBE and UNSUBSCRIBE with QoS 1, and with DUP when they are sent again.
  const compared = version === 3 && wanted === 2 ? flags & ~DUP_3_1 : flags
  if (compared !== wanted) throw new WireFault('header-flags') // [MQTT-2.2.2-1], [MQTT-2.2.2-2]
}

function checkPublishFlags(flags: number): void {
  const qos = (flags >> 1) & 3
  if (qos === 3) throw new WireFault('publish-qos') // [MQTT-3.3.1-4]
  if (qos === 0 && (flags & PUBLISH_DUP) !== 0) throw new WireFault('publish-dup') // [MQTT-3.3.1-2]
}

/** Checks the remaining length of the types that have but one. @throws WireFault */
export function checkLength(type: number, length: number): void {
  switch (type) {
    case PACKET_TYPES.puback:
    case PACKET_TYPES.pubrec:
    case PACKET_TYPES.pubrel:
    case PACKET_TYPES.pubcomp:
      if (length !== 2) throw new WireFault('packet-length')
      return
    case PACKET_TYPES.pingreq:
    case PACKET_TYPES.disconnect:
      if (length !== 0) throw new WireFault('packet-length')
      return
    default:
  }
}
