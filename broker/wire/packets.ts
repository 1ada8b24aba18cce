/** The packets a client may send, in the shapes that mqtt-packet gives them for MQTT 3.1.1, because aedes takes them as is. */
export type InPacket =
  | ConnectPacket
  | PublishPacket
  | AckPacket
  | SubscribePacket
  | UnsubscribePacket
  | PingreqPacket
  | DisconnectPacket

export type Qos = 0 | 1 | 2

interface Sized {
  /** Bytes of the whole packet on the wire, fixed header included. */
  readonly bytes: number
}

export interface Will {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: Qos
  readonly retain: boolean
}

export interface ConnectPacket extends Sized {
  readonly cmd: 'connect'
  readonly protocolId: 'MQTT' | 'MQIsdp'
  /** 4 is MQTT 3.1.1, 3 is MQTT 3.1. */
  readonly protocolVersion: 3 | 4
  readonly clean: boolean
  /** Seconds; 0 = none. */
  readonly keepalive: number
  /** Empty only with `clean`. */
  readonly clientId: string
  readonly will?: Will
  readonly username?: string
  readonly password?: Buffer
}

/** Not readonly: aedes and the policy write to a PUBLISH as it passes. */
export interface PublishPacket extends Sized {
  readonly cmd: 'publish'
  topic: string
  payload: Buffer
  qos: Qos
  retain: boolean
  dup: boolean
  /** Bytes after the fixed header. */
  readonly length: number
  /** 1 to 65535 with QoS 1 and 2; not there with QoS 0. */
  messageId?: number
}

export interface AckPacket extends Sized {
  readonly cmd: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp'
  readonly messageId: number
}

export interface SubscribePacket extends Sized {
  readonly cmd: 'subscribe'
  readonly messageId: number
  readonly subscriptions: { topic: string; qos: Qos }[]
}

export interface UnsubscribePacket extends Sized {
  readonly cmd: 'unsubscribe'
  readonly messageId: number
  readonly unsubscriptions: string[]
}

export interface PingreqPacket extends Sized {
  readonly cmd: 'pingreq'
}

export interface DisconnectPacket extends Sized {
  readonly cmd: 'disconnect'
}
