import {
  ClaimBirth,
  ClaimChallenge,
  ClaimReceipt,
  ClaimTicket,
  type GatewayId,
  type Keyset,
  OnlineProof,
  SiteProof,
} from '../contract/index.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { fromJson, type Schema, toJson } from './json.ts'
import { cloudIdOf, type SigningKey } from './keys.ts'
import { openMessage, SIGNED_HEAD_BYTES, signMessage } from './signed.ts'
import { keysetLookup, openKeyset } from './policy/snapshot.ts'

const VERSION = 1
const KEYSET_BYTES_MAX = 4096
/** First bytes of what the cloud says about claiming. */
const TYPES = { birth: 1, ticket: 2 } as const

/** What the cloud signs with: a key of the keyset, and the root's word on it (`sealKeyset`). */
export interface CloudSeal {
  readonly keyset: Uint8Array
  readonly key: SigningKey
}

/** A gateway's claim key as it travels; it carries its keyset, as a snapshot does. */
export const sealBirth = (birth: ClaimBirth, by: CloudSeal): Uint8Array =>
  sealed('birth', { recipient: birth.gateway, body: toJson(birth) }, by)

/** A ticket or reservation as it travels, to whatever gateway trusts the root of this cloud. */
export const sealTicket = (ticket: ClaimTicket, by: CloudSeal & { readonly cloudId: string }): Uint8Array =>
  sealed('ticket', { recipient: by.cloudId, body: toJson(ticket) }, by)

/** What the cloud said about claiming, whoever brought it. */
export type ClaimDocument =
  | { readonly what: 'birth'; readonly birth: ClaimBirth; readonly keyset: Keyset }
  | { readonly what: 'ticket'; readonly ticket: ClaimTicket; readonly keyset: Keyset }

/** Checks root, keyset, recipient and shape; undefined for anything else. Never throws, whatever the bytes. */
export function openClaimDocument({
  rootPublicKey,
  gateway,
  bytes,
}: {
  /** The configured `cloud.trust`, base64. */
  readonly rootPublicKey: string
  readonly gateway: GatewayId
  readonly bytes: Uint8Array
}): ClaimDocument | undefined {
  return readable(() => {
    const reader = new ByteReader(bytes)
    if (reader.byte() !== VERSION) return undefined
    const type = reader.byte()
    const keyset = openKeyset(rootPublicKey, reader.bytes(reader.atMost(KEYSET_BYTES_MAX)))
    if (keyset === undefined) return undefined
    const by = { message: reader.rest(), publicKeyFor: keysetLookup(keyset) }
    if (type === TYPES.birth) {
      const birth = opened(ClaimBirth, { kind: 'claim/birth', recipient: gateway, ...by })
      return birth === undefined ? undefined : { what: 'birth', birth, keyset }
    }
    if (type !== TYPES.ticket) return undefined
    const ticket = opened(ClaimTicket, { kind: 'claim/ticket', recipient: cloudIdOf(rootPublicKey), ...by })
    return ticket === undefined ? undefined : { what: 'ticket', ticket, keyset }
  })
}

/** Which ticket it is, by its own word alone: for whoever carries one and has no root key. */
export function ticketIdIn(bytes: Uint8Array): string | undefined {
  return readable(() => {
    const reader = new ByteReader(bytes)
    if (reader.byte() !== VERSION || reader.byte() !== TYPES.ticket) return undefined
    reader.bytes(reader.atMost(KEYSET_BYTES_MAX))
    return fromJson(ClaimTicket, reader.rest().subarray(SIGNED_HEAD_BYTES)).id
  })
}

/** The gateway's answer to an asking on site; the recipient is the asker's own nonce. */
export const sealChallenge = (challenge: ClaimChallenge, key: SigningKey): Uint8Array =>
  signMessage({ kind: 'claim/challenge', recipient: challenge.nonceP, body: toJson(challenge), key })

/** Undefined where it is not an answer to this nonce by this key (base64). */
export const openChallenge = (
  message: Uint8Array,
  { nonceP, publicKey }: { readonly nonceP: string; readonly publicKey: string },
): ClaimChallenge | undefined =>
  readable(() =>
    opened(ClaimChallenge, { kind: 'claim/challenge', recipient: nonceP, ...signedBy(publicKey), message }),
  )

/** Made with the key of the code, for the gateway itself. */
export const sealSiteProof = (proof: SiteProof, key: SigningKey): Uint8Array =>
  signMessage({ kind: 'claim/proof', recipient: proof.gateway, body: toJson(proof), key })

/** Undefined where it is not by the claim key (base64). Costs the same whatever is wrong with a well-formed one. */
export const openSiteProof = (
  message: Uint8Array,
  { gateway, claimKey }: { readonly gateway: GatewayId; readonly claimKey: string },
): SiteProof | undefined =>
  readable(() =>
    opened(SiteProof, { kind: 'claim/proof', recipient: gateway, ...signedBy(claimKey), message }),
  )

/** Made with the key of the code, for the cloud. */
export const sealOnlineProof = (proof: OnlineProof, to: { cloudId: string; key: SigningKey }): Uint8Array =>
  signMessage({ kind: 'claim/proof', recipient: to.cloudId, body: toJson(proof), key: to.key })

export const openOnlineProof = (
  message: Uint8Array,
  { cloudId, claimKey }: { readonly cloudId: string; readonly claimKey: string },
): OnlineProof | undefined =>
  readable(() =>
    opened(OnlineProof, { kind: 'claim/proof', recipient: cloudId, ...signedBy(claimKey), message }),
  )

/** By the gateway's identity key, to its cloud. */
export const sealReceipt = (receipt: ClaimReceipt, to: { cloudId: string; key: SigningKey }): Uint8Array =>
  signMessage({ kind: 'claim/receipt', recipient: to.cloudId, body: toJson(receipt), key: to.key })

/** Undefined where it is not by this gateway's key (base64). */
export const openReceipt = (
  message: Uint8Array,
  { cloudId, publicKey }: { readonly cloudId: string; readonly publicKey: string },
): ClaimReceipt | undefined =>
  readable(() =>
    opened(ClaimReceipt, { kind: 'claim/receipt', recipient: cloudId, ...signedBy(publicKey), message }),
  )

function sealed(
  type: keyof typeof TYPES,
  said: { recipient: string; body: Uint8Array },
  { keyset, key }: CloudSeal,
): Uint8Array {
  const writer = new ByteWriter()
  writer.byte(VERSION)
  writer.byte(TYPES[type])
  writer.varint(keyset.length)
  writer.bytes(keyset)
  writer.bytes(signMessage({ kind: `claim/${type}`, ...said, key }))
  return writer.finish()
}

/** Whatever key the message names, it is this one that must have signed: nothing is told by how long it took. */
const signedBy = (publicKey: string) => ({
  publicKeyFor: () => publicKey,
})

function opened<T>(schema: Schema<T>, sealedMessage: Parameters<typeof openMessage>[0]): T | undefined {
  const message = openMessage(sealedMessage)
  return message.ok ? fromJson(schema, message.body) : undefined
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
