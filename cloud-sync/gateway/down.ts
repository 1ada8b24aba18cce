import {
  type Ack,
  type DownKind,
  type ChangeAck,
  type GatewayId,
  parseLinkTopic,
  PolicyHead,
  type PolicyOrder,
  type Stream,
} from '../contract/index.ts'
import { openAck, openChangeAck } from '../codec/index.ts'
import type { Keyring } from './keyring.ts'

/** A message from the cloud, read and its signature checked, except a policy: its sink does that. */
export type Heard =
  | { readonly what: 'ack'; readonly stream: Stream; readonly ack: Ack }
  | { readonly what: 'change-ack'; readonly ack: ChangeAck }
  | { readonly what: 'policy-head'; readonly head: PolicyOrder }
  | { readonly what: 'policy'; readonly message: Uint8Array }
  /** A claim key or a reservation: who claims checks them. */
  | { readonly what: 'claim'; readonly message: Uint8Array }
  /** Signed by a key this gateway does not know (yet). */
  | { readonly what: 'unknown-key' }
  | { readonly what: 'refused'; readonly topic: string; readonly because: string }
  | { readonly what: 'nothing' }

interface Reader {
  readonly options: { readonly gatewayId: GatewayId }
  readonly keyring: Keyring
}

/** Reads a message from one of the cloud's topics; never throws, whatever the bytes. */
export function readDown({ options, keyring }: Reader, topic: string, payload: Uint8Array): Heard {
  const parsed = parseLinkTopic(topic)
  if (parsed?.direction !== 'dn' || parsed.gateway !== options.gatewayId) {
    return { what: 'refused', topic, because: 'topic' }
  }
  const { kind } = parsed
  if (kind === 'ack/prop') return readChangeAck({ options, keyring }, topic, payload)
  if (isAck(kind)) return readAck({ options, keyring }, topic, { kind, message: payload })
  switch (kind) {
    case 'pol/head':
      return readHead(topic, payload)
    case 'pol/d':
      return { what: 'policy', message: payload }
    case 'claim':
      return { what: 'claim', message: payload }
    case 'cmd':
      return { what: 'nothing' }
  }
}

const isAck = (kind: DownKind): kind is `ack/${Stream}` => kind.startsWith('ack/')

function readChangeAck({ options, keyring }: Reader, topic: string, message: Uint8Array): Heard {
  const { publicKeyFor } = keyring
  const opened = openChangeAck({ gateway: options.gatewayId, message, publicKeyFor })
  if (opened.ok) return { what: 'change-ack', ack: opened.ack }
  if (opened.because === 'unknown-key') return { what: 'unknown-key' }
  return { what: 'refused', topic, because: opened.because }
}

function readAck(
  { options, keyring }: Reader,
  topic: string,
  { kind, message }: { kind: `ack/${Stream}`; message: Uint8Array },
): Heard {
  const stream = kind.slice('ack/'.length) as Stream
  const { publicKeyFor } = keyring
  const opened = openAck({ stream, gateway: options.gatewayId, message, publicKeyFor })
  if (opened.ok) return { what: 'ack', stream, ack: opened.ack }
  if (opened.because === 'unknown-key') return { what: 'unknown-key' }
  return { what: 'refused', topic, because: opened.because }
}

/** A hint, unsigned: at worst it makes the gateway ask. */
function readHead(topic: string, payload: Uint8Array): Heard {
  // A retained message that was cleared comes as no bytes.
  if (payload.length === 0) return { what: 'nothing' }
  try {
    const head = PolicyHead.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)))
    return { what: 'policy-head', head: { generation: head.generation, version: head.rev } }
  } catch {
    return { what: 'refused', topic, because: 'malformed' }
  }
}
