import type { Body } from './body.ts'
import type { ConnectPacket, Qos, Will } from './packets.ts'
import { WireFault } from './wire-fault.ts'

/** Octets of a client id in MQTT 3.1. */
const CLIENT_ID_LENGTH_MAX_3_1 = 23

const UNACCEPTABLE_PROTOCOL = Buffer.from([0x20, 2, 0, 1])
const IDENTIFIER_REJECTED = Buffer.from([0x20, 2, 0, 2])
/** In the form of MQTT 5 (its section 3.2): reason 0x84, unsupported protocol version, no properties. */
const UNSUPPORTED_VERSION_5 = Buffer.from([0x20, 3, 0, 0x84, 0])

const RESERVED = 0x01
const CLEAN = 0x02
const WILL = 0x04
const WILL_QOS_SHIFT = 3
const WILL_RETAIN = 0x20
const PASSWORD = 0x40
const USER_NAME = 0x80

/** Reads a CONNECT (section 3.1) of MQTT 3.1.1 or 3.1. @throws WireFault */
export function readConnect(body: Body, bytes: number): ConnectPacket {
  const { protocolId, protocolVersion } = readProtocol(body)
  const flags = body.byte()
  checkFlags(flags, protocolVersion)
  const clean = (flags & CLEAN) !== 0
  const keepalive = body.uint16()
  // [MQTT-3.1.3-1]: the fields stand in this order.
  const clientId = body.text()
  const will = (flags & WILL) === 0 ? undefined : readWill(body, flags)
  // MQTT 3.1, section 3.1: its remaining length goes before its flags; a user name or password may be missing at the
  // end. 3.1.1 took that back: [MQTT-3.1.2-19], [MQTT-3.1.2-21].
  const has = (flag: number): boolean => (flags & flag) !== 0 && (protocolVersion === 4 || body.left > 0)
  const username = has(USER_NAME) ? body.text() : undefined // [MQTT-3.1.3-11]
  const password = has(PASSWORD) ? body.binary() : undefined
  body.expectEnd() // [MQTT-3.1.2-18], [MQTT-3.1.2-20]: no field without its flag
  // After everything else: only a CONNECT that is right otherwise is answered [MQTT-3.1.4-1].
  checkClientId(clientId, clean, protocolVersion)
  return {
    cmd: 'connect',
    protocolId,
    protocolVersion,
    clean,
    keepalive,
    clientId,
    ...(will === undefined ? {} : { will }),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    bytes,
  }
}

function readProtocol(body: Body): Pick<ConnectPacket, 'protocolId' | 'protocolVersion'> {
  const name = body.text()
  // [MQTT-3.1.2-1]: with another name it is another protocol; there is no answer it would understand.
  if (name !== 'MQTT' && name !== 'MQIsdp') throw new WireFault('protocol-name')
  const level = body.byte()
  if (name === 'MQTT' && level === 4) return { protocolId: 'MQTT', protocolVersion: 4 }
  if (name === 'MQIsdp' && level === 3) return { protocolId: 'MQIsdp', protocolVersion: 3 }
  // [MQTT-3.1.2-2] wants return code 1. In MQTT 5 that is no failure: who speaks it, or something later, is told in
  // its form, and falls back by that. Levels with the top bit are bridges that ask for more and understand a 1.
  const reply = name === 'MQTT' && level >= 5 && level < 0x80 ? UNSUPPORTED_VERSION_5 : UNACCEPTABLE_PROTOCOL
  throw new WireFault('protocol-level', reply)
}

function checkFlags(flags: number, version: 3 | 4): void {
  // [MQTT-3.1.2-3]; in MQTT 3.1 the bit is unused, without a rule to check it.
  if (version === 4 && (flags & RESERVED) !== 0) throw new WireFault('reserved-connect-flag')
  const willQos = (flags >> WILL_QOS_SHIFT) & 3
  if ((flags & WILL) === 0) {
    // [MQTT-3.1.2-11], [MQTT-3.1.2-13], [MQTT-3.1.2-15]
    if (willQos !== 0 || (flags & WILL_RETAIN) !== 0) throw new WireFault('will-flags')
  } else if (willQos === 3) {
    throw new WireFault('will-qos') // [MQTT-3.1.2-14]
  }
  if ((flags & PASSWORD) !== 0 && (flags & USER_NAME) === 0) {
    throw new WireFault('password-without-user-name') // [MQTT-3.1.2-22]
  }
}

function checkClientId(clientId: string, clean: boolean, version: 3 | 4): void {
  if (version === 3) {
    // MQTT 3.1, section 3.1: 1 to 23 characters.
    if (clientId.length === 0 || clientId.length > CLIENT_ID_LENGTH_MAX_3_1) {
      throw new WireFault('client-id-length', IDENTIFIER_REJECTED)
    }
  } else if (clientId.length === 0 && !clean) {
    // [MQTT-3.1.3-7], [MQTT-3.1.3-8]: without an id there is nothing to find the session by.
    throw new WireFault('client-id-missing', IDENTIFIER_REJECTED)
  }
}

function readWill(body: Body, flags: number): Will {
  // [MQTT-3.1.3-10]; a will is published to its topic, so what holds for PUBLISH holds here.
  const topic = body.topicName()
  const payload = body.binary()
  return { topic, payload, qos: ((flags >> WILL_QOS_SHIFT) & 3) as Qos, retain: (flags & WILL_RETAIN) !== 0 }
}
