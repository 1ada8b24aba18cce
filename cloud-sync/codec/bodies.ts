import { z } from 'zod'
import {
  Ack,
  ChangeAck,
  Epoch,
  GatewayChange,
  GatewayEvent,
  type GatewayId,
  PolicyWant,
  type Stream,
} from '../contract/index.ts'
import { fromJson, toJson } from './json.ts'
import type { SigningKey } from './keys.ts'
import { openMessage, signMessage } from './signed.ts'

/** Events in one batch. */
const BATCH_EVENTS_MAX = 512

/** The body of a message on `evt`; its hash in acknowledgements is the SHA-256 of the last acknowledged body. */
const EventBatch = z.strictObject({
  v: z.literal(1),
  gw: z.string().max(64),
  epoch: Epoch,
  first: z.int().min(1),
  events: z.array(GatewayEvent).min(1).max(BATCH_EVENTS_MAX),
})
export type EventBatch = z.infer<typeof EventBatch>

/** UTF-8 JSON. */
export const encodeEventBatch = (batch: EventBatch): Uint8Array => toJson(batch)
/** @throws SyncError SYNC_MESSAGE_MALFORMED */
export const decodeEventBatch = (body: Uint8Array): EventBatch => fromJson(EventBatch, body)

/** UTF-8 JSON. */
export const encodeWant = (want: PolicyWant): Uint8Array => toJson(want)
/** @throws SyncError SYNC_MESSAGE_MALFORMED */
export const decodeWant = (body: Uint8Array): PolicyWant => fromJson(PolicyWant, body)

/** A signed acknowledgement of one stream to one gateway; body UTF-8 JSON. */
export function sealAck(sealed: {
  readonly stream: Stream
  readonly gateway: GatewayId
  readonly ack: Ack
  readonly key: SigningKey
}): Uint8Array {
  const { stream, gateway, ack, key } = sealed
  return signMessage({ kind: `ack/${stream}`, recipient: gateway, body: toJson(ack), key })
}

export type OpenedAck =
  | { readonly ok: true; readonly ack: Ack }
  | { readonly ok: false; readonly because: 'malformed' | 'unknown-key' | 'bad-signature' }

/** Checks signature, stream, recipient and shape; never throws, whatever the bytes. */
export function openAck(sealed: {
  readonly stream: Stream
  readonly gateway: GatewayId
  readonly message: Uint8Array
  readonly publicKeyFor: (keyId: string) => string | undefined
}): OpenedAck {
  const { stream, gateway, message, publicKeyFor } = sealed
  const opened = openMessage({ kind: `ack/${stream}`, recipient: gateway, message, publicKeyFor })
  if (!opened.ok) return opened
  try {
    return { ok: true, ack: fromJson(Ack, opened.body) }
  } catch {
    return { ok: false, because: 'malformed' }
  }
}

/** UTF-8 JSON. */
export const encodeChange = (change: GatewayChange): Uint8Array => toJson(change)
/** @throws SyncError SYNC_MESSAGE_MALFORMED */
export const decodeChange = (body: Uint8Array): GatewayChange => fromJson(GatewayChange, body)

/** A signed word on changes made at one gateway; body UTF-8 JSON. */
export function sealChangeAck(sealed: {
  readonly gateway: GatewayId
  readonly ack: ChangeAck
  readonly key: SigningKey
}): Uint8Array {
  const { gateway, ack, key } = sealed
  return signMessage({ kind: 'ack/prop', recipient: gateway, body: toJson(ack), key })
}

type OpenedChangeAck =
  | { readonly ok: true; readonly ack: ChangeAck }
  | { readonly ok: false; readonly because: 'malformed' | 'unknown-key' | 'bad-signature' }

/** Checks signature, recipient and shape; never throws, whatever the bytes. */
export function openChangeAck(sealed: {
  readonly gateway: GatewayId
  readonly message: Uint8Array
  readonly publicKeyFor: (keyId: string) => string | undefined
}): OpenedChangeAck {
  const { gateway, message, publicKeyFor } = sealed
  const opened = openMessage({ kind: 'ack/prop', recipient: gateway, message, publicKeyFor })
  if (!opened.ok) return opened
  try {
    return { ok: true, ack: fromJson(ChangeAck, opened.body) }
  } catch {
    return { ok: false, because: 'malformed' }
  }
}
