import type { Qos, StoredMessage } from './message-store.ts'

/** A packet as aedes passes it: what every message has, and whatever else somebody put there. */
export interface AedesPacket {
  readonly cmd?: string
  readonly topic: string
  readonly payload: Buffer | string
  readonly qos?: Qos
  readonly retain?: boolean
  /** The broker's own number of a message: which broker, and counted by it. */
  readonly brokerId?: unknown
  readonly brokerCounter?: unknown
  readonly messageId?: unknown
  readonly [more: string]: unknown
}

interface Extra {
  /** The payload came as a string, which aedes lets local programs pass. */
  readonly text?: true
  readonly more: Record<string, unknown>
}

/** What is stored of a packet; `extra` holds what a message has no column for. */
export function messageOf(packet: AedesPacket): StoredMessage {
  const { topic, payload, qos = 0, retain = false, ...rest } = packet
  // The length is that of the bytes it came in; it means nothing to whoever it goes to.
  const more = { ...rest, length: undefined }
  const extra: Extra = { ...(typeof payload === 'string' && { text: true }), more }
  return { topic, payload: Buffer.from(payload), qos, retain, extra: JSON.stringify(extra, bufferOut) }
}

/** The packet again; an own copy. */
export function packetOf({ topic, payload, qos, retain, extra }: StoredMessage): AedesPacket {
  const { text, more } = parsed(extra)
  return { ...more, topic, payload: text === true ? payload.toString() : payload, qos, retain }
}

/** `extra` with other values for some of what it holds. */
export function changedExtra(extra: string | undefined, changes: Record<string, unknown>): string {
  const { more, ...rest } = parsed(extra)
  return JSON.stringify({ ...rest, more: { ...more, ...changes } }, bufferOut)
}

export const moreOf = (extra: string | undefined): Record<string, unknown> => parsed(extra).more

function parsed(extra: string | undefined): Extra {
  return extra === undefined ? { more: {} } : (JSON.parse(extra, bufferIn) as Extra)
}

/** JSON.stringify has called Buffer's toJSON by then. */
const bufferOut = (_key: string, value: unknown): unknown =>
  isBufferJson(value) ? { base64: Buffer.from(value.data).toString('base64') } : value

function bufferIn(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 1) return value
  return 'base64' in value && typeof value.base64 === 'string' ? Buffer.from(value.base64, 'base64') : value
}

const isBufferJson = (value: unknown): value is { data: number[] } =>
  typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value
