import type { SignedKind } from '../contract/index.ts'
import {
  KEY_ID_BYTES,
  SIGNATURE_BYTES,
  type SigningKey,
  verifySignature,
  verifySignatureAside,
} from './keys.ts'

const VERSION = 1
/** Bytes before the body. */
export const SIGNED_HEAD_BYTES = 1 + KEY_ID_BYTES + SIGNATURE_BYTES
const encoder = new TextEncoder()

export interface Unsigned {
  readonly kind: SignedKind
  /** `cloudIdOf(root)` for messages to the cloud, else the gateway id. */
  readonly recipient: string
  readonly body: Uint8Array
  readonly key: SigningKey
}

export type Opened =
  | { readonly ok: true; readonly body: Uint8Array; readonly keyId: string }
  | { readonly ok: false; readonly because: 'malformed' | 'unknown-key' | 'bad-signature' }

export interface Unopened {
  readonly kind: SignedKind
  readonly recipient: string
  readonly message: Uint8Array
  /** Public key (base64) of a key id, undefined where it is not trusted. */
  readonly publicKeyFor: (keyId: string) => string | undefined
}

/**
 * A message: version byte, 8-byte key id, 64-byte signature, body. Ed25519 is deterministic, so signing the same body
 * again gives the same bytes.
 */
export function signMessage({ kind, recipient, body, key }: Unsigned): Uint8Array {
  const message = new Uint8Array(SIGNED_HEAD_BYTES + body.length)
  message[0] = VERSION
  message.set(Buffer.from(key.keyId, 'hex'), 1)
  message.set(key.sign(signedBytes(kind, recipient, body)), 1 + KEY_ID_BYTES)
  message.set(body, SIGNED_HEAD_BYTES)
  return message
}

/** Checks kind, recipient and signature; never throws, whatever the bytes. `body` is a view into `message`. */
export function openMessage(unopened: Unopened): Opened {
  const claim = claimOf(unopened)
  if (!claim.ok) return claim
  return judged(claim, verifySignature(claim.publicKey, claim.bytes, claim.signature))
}

/** The same; the signature is checked beside this thread. */
export async function openMessageAside(unopened: Unopened): Promise<Opened> {
  const claim = claimOf(unopened)
  if (!claim.ok) return claim
  return judged(claim, await verifySignatureAside(claim.publicKey, claim.bytes, claim.signature))
}

interface Claim {
  readonly ok: true
  readonly body: Uint8Array
  readonly keyId: string
  readonly publicKey: string
  /** What must be signed. */
  readonly bytes: Uint8Array
  readonly signature: Uint8Array
}

function claimOf({
  kind,
  recipient,
  message,
  publicKeyFor,
}: Unopened): Claim | Extract<Opened, { ok: false }> {
  if (message.length < SIGNED_HEAD_BYTES || message[0] !== VERSION) return { ok: false, because: 'malformed' }
  const keyId = Buffer.from(message.subarray(1, 1 + KEY_ID_BYTES)).toString('hex')
  const publicKey = publicKeyFor(keyId)
  if (publicKey === undefined) return { ok: false, because: 'unknown-key' }
  const body = message.subarray(SIGNED_HEAD_BYTES)
  const signature = message.subarray(1 + KEY_ID_BYTES, SIGNED_HEAD_BYTES)
  return { ok: true, body, keyId, publicKey, bytes: signedBytes(kind, recipient, body), signature }
}

const judged = ({ body, keyId }: Claim, isSigned: boolean): Opened =>
  isSigned ? { ok: true, body, keyId } : { ok: false, because: 'bad-signature' }

/** Neither kind nor recipient can hold a NUL, so no two questions share their bytes. */
function signedBytes(kind: SignedKind, recipient: string, body: Uint8Array): Uint8Array {
  return Buffer.concat([encoder.encode(`hg1/${kind}\0${recipient}\0`), body])
}
