import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto'
import type { GatewayId, Hash } from '../contract/index.ts'

/** Bytes of SHA-256 of the raw public key that name a key. */
export const KEY_ID_BYTES = 8
export const SIGNATURE_BYTES = 64
/** What stands before the seed in a PKCS8 Ed25519 key (RFC 8410, 7). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')

/**
 * A public key that nobody has the other half of: the first point of the curve among SHA-256 of "headgate: a key that nobody
 * has" and a number. To check a signature against it costs what it costs against somebody's; bytes that are no point of the
 * curve are refused in a third of the time, and tell that there is nobody.
 */
export const NOBODYS_KEY = '2gP3a9MqUOvkZKTdcd2tSeFACtPUiWx+w+ArZpxlsQY='

/** SHA-256, hex. */
export const sha256 = (bytes: Uint8Array): Hash => hash('sha256', bytes, 'hex') as Hash

/** Whether two hashes are the same, in constant time. */
export const sameHash = (a: Hash, b: Hash): boolean => timingSafeEqual(Buffer.from(a), Buffer.from(b))

/** A fresh Ed25519 pair: private as PKCS8 PEM text, public as 32 raw bytes in base64. */
export function generateKeyPair(): { privateKey: string; publicKey: string } {
  const { privateKey } = generateKeyPairSync('ed25519')
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: rawPublicKey(privateKey),
  }
}

/** A private key ready to sign. */
export interface SigningKey {
  readonly keyId: string
  /** 32 raw bytes, base64. */
  readonly publicKey: string
  sign(bytes: Uint8Array): Uint8Array
}

/** Reads a PKCS8 PEM text as made by `generateKeyPair`; throws what node:crypto throws where it is none. */
export function signingKey(pem: string): SigningKey {
  return signingKeyFrom(createPrivateKey(pem))
}

/** The same from the 32 bytes that an Ed25519 key is made of (RFC 8032, 5.1.5). */
export function signingKeyOfSeed(seed: Uint8Array): SigningKey {
  const der = Buffer.concat([PKCS8_HEAD, seed])
  return signingKeyFrom(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
}

function signingKeyFrom(key: KeyObject): SigningKey {
  if (key.asymmetricKeyType !== 'ed25519') throw new TypeError('The key is not an Ed25519 key.')
  const publicKey = rawPublicKey(key)
  return { keyId: keyIdOf(publicKey), publicKey, sign: (bytes) => sign(null, bytes, key) }
}

/** True where `signature` over `bytes` is by `publicKey` (base64); false for anything that is not a key. */
export function verifySignature(publicKey: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false
  const key = readKey(publicKey)
  return key !== undefined && verify(null, bytes, key, signature)
}

/** The same, checked beside this thread. */
export function verifySignatureAside(
  publicKey: string,
  bytes: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const key = signature.length === SIGNATURE_BYTES ? readKey(publicKey) : undefined
  if (key === undefined) return Promise.resolve(false)
  return new Promise((resolve) => {
    verify(null, bytes, key, signature, (error, isTrue) => {
      resolve(error === null && isTrue)
    })
  })
}

/** Public keys kept ready; reading one costs a quarter of what a signature does. */
const KEYS_KEPT_MAX = 4096
const kept = new Map<string, KeyObject>()

function readKey(publicKey: string): KeyObject | undefined {
  const known = kept.get(publicKey)
  if (known !== undefined) return known
  const raw = Buffer.from(publicKey, 'base64')
  if (raw.length !== 32) return undefined
  try {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') }
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    if (kept.size >= KEYS_KEPT_MAX) kept.clear()
    kept.set(publicKey, key)
    return key
  } catch {
    // Bytes that are no key: nobody has signed with them.
    return undefined
  }
}

/** Name of a public key (base64): the first 8 bytes of SHA-256 of the raw key, 16 hex digits. */
export const keyIdOf = (publicKey: string): string =>
  sha256(Buffer.from(publicKey, 'base64')).slice(0, 2 * KEY_ID_BYTES)

/** The recipient of every message to the cloud whose root key this is. */
export const cloudIdOf = (rootPublicKey: string): string => keyIdOf(rootPublicKey)

/** Topic shard of a gateway: first byte of SHA-256(gateway id), two hex digits. */
export const shardOf = (gateway: GatewayId): string => sha256(Buffer.from(gateway)).slice(0, 2)

function rawPublicKey(privateKey: KeyObject): string {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' })
  return Buffer.from(x ?? '', 'base64url').toString('base64')
}
