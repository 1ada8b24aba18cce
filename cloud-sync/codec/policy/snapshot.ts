import {
  comparePolicyOrder,
  type GatewayId,
  type Hash,
  Keyset,
  type PolicyOrder,
  type PolicySnapshot,
} from '../../contract/index.ts'
import { ByteReader, ByteWriter } from '../bytes.ts'
import { fromJson, toJson } from '../json.ts'
import { cloudIdOf, keyIdOf, type SigningKey, sha256 } from '../keys.ts'
import { openMessage, SIGNED_HEAD_BYTES, signMessage } from '../signed.ts'
import { addresseeOf, packBody, policyBody, policyHash, readable, readPolicy, unpackBody } from './body.ts'

const VERSION = 1
/** Eight keys of 44 characters and their frame fit many times. */
const KEYSET_BYTES_MAX = 4096

/** The root's word on which keys sign for the cloud: a signed message of kind `keyset` to the cloud id. */
export function sealKeyset(keyset: Keyset, rootKey: SigningKey): Uint8Array {
  const recipient = cloudIdOf(rootKey.publicKey)
  return signMessage({ kind: 'keyset', recipient, body: toJson(keyset), key: rootKey })
}

/** The keyset, or undefined where the bytes are damaged or not signed by this root (base64). */
export function openKeyset(rootPublicKey: string, message: Uint8Array): Keyset | undefined {
  const root = cloudIdOf(rootPublicKey)
  const publicKeyFor = (keyId: string): string | undefined => (keyId === root ? rootPublicKey : undefined)
  const opened = openMessage({ kind: 'keyset', recipient: root, message, publicKeyFor })
  return opened.ok ? readable(() => fromJson(Keyset, opened.body)) : undefined
}

/** `publicKeyFor` of openMessage for a keyset. */
export function keysetLookup(keyset: Keyset): (keyId: string) => string | undefined {
  const keys = new Map(keyset.keys.map((key) => [keyIdOf(key), key]))
  return (keyId) => keys.get(keyId)
}

/**
 * A snapshot as it travels and is stored: version byte, length of the keyset message, keyset message, snapshot message
 * (kind `pol` to the gateway, body as `packBody` makes it). It carries its own keyset, so a gateway that missed any number of rotations
 * recovers by itself.
 */
export function sealSnapshot(sealed: {
  /** As `sealKeyset` made it. */
  readonly keyset: Uint8Array
  readonly snapshot: PolicySnapshot
  /** One of the keyset's keys. */
  readonly key: SigningKey
}): Uint8Array {
  const writer = new ByteWriter()
  writer.byte(VERSION)
  writer.varint(sealed.keyset.length)
  writer.bytes(sealed.keyset)
  const { snapshot, key } = sealed
  writer.bytes(
    signMessage({
      kind: 'pol',
      recipient: snapshot.gateway,
      body: packBody(policyBody(snapshot), snapshot.gateway),
      key,
    }),
  )
  return writer.finish()
}

export type OpenedSnapshot =
  | {
      readonly ok: true
      readonly snapshot: PolicySnapshot
      readonly keyset: Keyset
      /** SHA-256 of all the bytes, as in `dn/pol/head`. */
      readonly hash: Hash
      /** The snapshot's text as it was signed, what deltas start from; and its `policyHash`. */
      readonly body: Uint8Array
      readonly bodyHash: Hash
    }
  | {
      readonly ok: false
      readonly because: 'malformed' | 'unsigned' | 'other-gateway' | 'critical' | 'older'
    }

export interface SealedForGateway {
  /** The configured `cloud.trust`, base64. */
  readonly rootPublicKey: string
  readonly gateway: GatewayId
  readonly bytes: Uint8Array
  /** The newest keyset seen, if any: a keyset before it may hold a key that was stolen since. */
  readonly newestKeyset: PolicyOrder | undefined
}

/** Checks root, keyset, recipient and shape; never throws, whatever the bytes. Versions are the caller's to compare. */
export function openSnapshot(sealed: SealedForGateway): OpenedSnapshot {
  const parts = readable(() => split(sealed.bytes))
  if (parts === undefined) return { ok: false, because: 'malformed' }
  const keyset = openKeyset(sealed.rootPublicKey, parts.keyset)
  if (keyset === undefined) return { ok: false, because: 'unsigned' }
  if (comparePolicyOrder(keyset, sealed.newestKeyset) < 0) return { ok: false, because: 'older' }
  const message = parts.snapshot
  const publicKeyFor = keysetLookup(keyset)
  const opened = openMessage({ kind: 'pol', recipient: sealed.gateway, message, publicKeyFor })
  if (!opened.ok) return { ok: false, because: whoseInstead(message, publicKeyFor) }
  const body = readable(() => unpackBody(opened.body))
  if (body === undefined) return { ok: false, because: 'malformed' }
  const read = readPolicy(body, sealed.gateway)
  if (!read.ok) return read
  const { snapshot } = read
  // Wrapped again with the keyset of another generation, a snapshot from before a restore would order after it.
  if (snapshot.generation !== keyset.generation) return { ok: false, because: 'older' }
  return { ok: true, snapshot, keyset, hash: sha256(sealed.bytes), body, bodyHash: policyHash(body) }
}

/** A snapshot for another gateway is properly signed, only not to this one: worth another word to the operator. */
function whoseInstead(
  message: Uint8Array,
  publicKeyFor: (keyId: string) => string | undefined,
): 'unsigned' | 'other-gateway' {
  const addressee = readable(() => addresseeOf(message.subarray(SIGNED_HEAD_BYTES)))
  if (addressee === undefined) return 'unsigned'
  return openMessage({ kind: 'pol', recipient: addressee, message, publicKeyFor }).ok
    ? 'other-gateway'
    : 'unsigned'
}

function split(bytes: Uint8Array): { keyset: Uint8Array; snapshot: Uint8Array } | undefined {
  const reader = new ByteReader(bytes)
  if (reader.byte() !== VERSION) return undefined
  return { keyset: reader.bytes(reader.atMost(KEYSET_BYTES_MAX)), snapshot: reader.rest() }
}
