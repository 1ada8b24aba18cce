import {
  type GatewayChange,
  type GatewayId,
  GatewayStatus,
  type Hash,
  LINK_PAYLOAD_BYTES_MAX,
  type PolicyWant,
  type ReadingBatch,
  type SignedKind,
  type Stream,
  STREAMS,
  parseLinkTopic,
} from '../../contract/index.ts'
import {
  decodeChange,
  decodeEventBatch,
  decodeReadingBatch,
  decodeWant,
  type EventBatch,
  keyIdOf,
  type Opened as OpenedMessage,
  openMessage,
  openMessageAside,
  SIGNED_HEAD_BYTES,
  sha256,
  shardOf,
  type Unopened,
  type UsageBatch,
} from '../../codec/index.ts'

import { possibleUsage, type UnreadableRecord, unreadableIn } from './unreadable.ts'

/** A message that a registered gateway really sent, read but not yet judged. */
export type Incoming = { readonly gateway: GatewayId } & (
  | { readonly what: 'status'; readonly status: GatewayStatus }
  | { readonly what: 'want'; readonly want: PolicyWant }
  | { readonly what: 'prop'; readonly change: GatewayChange; readonly body: Uint8Array }
  | Unreadable
  | Delivery
)

/** Usage that the gateway signed and nobody can post: kept for the operator, never answered. */
export interface Unreadable extends UnreadableRecord {
  readonly what: 'unreadable'
  readonly body: Uint8Array
  readonly hash: Hash
}

/** A batch of one stream, with the message as it was signed. */
export type Delivery = {
  readonly gateway: GatewayId
  readonly message: Uint8Array
  readonly keyId: string
  readonly body: Uint8Array
  readonly hash: Hash
} & (
  | { readonly what: 'usage'; readonly batch: UsageBatch }
  | { readonly what: 'rd' | 'rd/h'; readonly batch: ReadingBatch }
  | { readonly what: 'evt'; readonly batch: EventBatch }
)

/** Why a message is dropped: counted, never answered. */
export const REFUSALS = [
  'topic',
  'too-large',
  'unknown-gateway',
  'unsigned',
  'malformed',
  'other-gateway',
  'not-taken',
] as const
export type Refused = (typeof REFUSALS)[number]
export type Opened =
  | { readonly ok: true; readonly incoming: Incoming }
  | { readonly ok: false; readonly because: Refused }

export interface OpenSettings {
  readonly cloudId: string
  publicKeyOf(gateway: GatewayId): string | undefined
}

/** Kinds of signed messages that the cloud takes. */
type Taken = SignedKind & (Stream | 'want' | 'prop')

const isStream = (kind: string): kind is Stream => (STREAMS as readonly string[]).includes(kind)

/** Reads a message from the link; never throws, whatever the bytes. */
export function openIncoming(settings: OpenSettings, topic: string, payload: Uint8Array): Opened {
  const message = addressed(settings, topic, payload)
  return 'ok' in message ? message : readSigned(message, openMessage(unopened(settings, message)))
}

/** The same; the signature is checked beside this thread. */
export async function openAside(settings: OpenSettings, topic: string, payload: Uint8Array): Promise<Opened> {
  const message = addressed(settings, topic, payload)
  return 'ok' in message ? message : readSigned(message, await openMessageAside(unopened(settings, message)))
}

/** A message that should be signed by its gateway. */
interface Sealed {
  readonly gateway: GatewayId
  readonly publicKey: string
  readonly kind: Taken
  readonly payload: Uint8Array
}

/** What can be said without its signature, or what must be signed. */
function addressed(settings: OpenSettings, topic: string, payload: Uint8Array): Opened | Sealed {
  const parsed = parseLinkTopic(topic)
  if (parsed?.direction !== 'up' || parsed.shard !== shardOf(parsed.gateway)) {
    return { ok: false, because: 'topic' }
  }
  if (payload.length > LINK_PAYLOAD_BYTES_MAX + SIGNED_HEAD_BYTES) return { ok: false, because: 'too-large' }
  const { gateway, kind } = parsed
  const publicKey = settings.publicKeyOf(gateway)
  if (publicKey === undefined) return { ok: false, because: 'unknown-gateway' }
  if (kind === 'status') return readStatus(gateway, payload)
  const signed = kind === 'pol' ? 'want' : isStream(kind) || kind === 'prop' ? kind : undefined
  if (signed === undefined) return { ok: false, because: 'not-taken' }
  return { gateway, publicKey, kind: signed, payload }
}

function unopened(
  { cloudId: recipient }: OpenSettings,
  { publicKey, kind, payload: message }: Sealed,
): Unopened {
  const keyId = keyIdOf(publicKey)
  return { kind, recipient, message, publicKeyFor: (id) => (id === keyId ? publicKey : undefined) }
}

function readSigned({ gateway, kind, payload }: Sealed, opened: OpenedMessage): Opened {
  if (!opened.ok) return { ok: false, because: opened.because === 'malformed' ? 'malformed' : 'unsigned' }
  // A copy: the decoder's views would keep the whole packet buffer of the client alive.
  const copy = Uint8Array.from(payload)
  const body = copy.subarray(copy.length - opened.body.length)
  const incoming = read({ gateway, kind, body }, { message: copy, keyId: opened.keyId })
  if (incoming === undefined) return { ok: false, because: 'malformed' }
  // Signed by this gateway, yet about another one: nobody posts to a stranger's stream.
  const about = 'batch' in incoming ? incoming.batch.gw : 'change' in incoming ? incoming.change.gw : gateway
  if (about !== gateway) return { ok: false, because: 'other-gateway' }
  return { ok: true, incoming }
}

function read(
  { gateway, kind, body }: { gateway: GatewayId; kind: Taken; body: Uint8Array },
  signed: { message: Uint8Array; keyId: string },
): Incoming | undefined {
  const common = { gateway, body, hash: sha256(body), ...signed }
  try {
    switch (kind) {
      case 'usage':
        return { ...common, what: kind, batch: possibleUsage(body) }
      case 'rd':
      case 'rd/h': {
        const batch = decodeReadingBatch(body)
        return batch.defs.some(hasNul) ? undefined : { ...common, what: kind, batch }
      }
      case 'evt':
        return { ...common, what: kind, batch: decodeEventBatch(body) }
      case 'prop':
        return { gateway, body, what: kind, change: decodeChange(body) }
      case 'want':
        return { gateway, what: 'want', want: decodeWant(body) }
    }
  } catch {
    // The decoders throw for any bytes they did not write; the caller counts it.
    const found = kind === 'usage' ? unreadableIn(body, gateway) : undefined
    return found && { gateway, what: 'unreadable', body, hash: common.hash, ...found }
  }
}

/** PostgreSQL has no place for it in a text. */
const hasNul = (value: unknown): boolean => JSON.stringify(value).includes(String.raw`\u0000`)

function readStatus(gateway: GatewayId, payload: Uint8Array): Opened {
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
    if (hasNul(json)) return { ok: false, because: 'malformed' }
    return { ok: true, incoming: { gateway, what: 'status', status: GatewayStatus.parse(json) } }
  } catch {
    return { ok: false, because: 'malformed' }
  }
}
