import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  cloudIdOf,
  generateKeyPair,
  keyIdOf,
  openMessage,
  shardOf,
  signingKey,
  signMessage,
  type Unopened,
} from '../../../cloud-sync/codec/index.ts'
import { GatewayId } from '../../../cloud-sync/contract/index.ts'

const pair = generateKeyPair()
const key = signingKey(pair.privateKey)
const known = (keyId: string): string | undefined => (keyId === key.keyId ? pair.publicKey : undefined)
const body = new TextEncoder().encode('what is said')
const message = signMessage({ kind: 'rd', recipient: 'cloud', body, key })

test('a key pair is PEM text and 32 raw bytes, and its id is 8 bytes in hex', () => {
  expect(pair.privateKey).toMatch(/^-----BEGIN PRIVATE KEY-----/)
  expect(Buffer.from(pair.publicKey, 'base64')).toHaveLength(32)
  expect(key.publicKey).toBe(pair.publicKey)
  expect(keyIdOf(pair.publicKey)).toMatch(/^[0-9a-f]{16}$/)
  expect(cloudIdOf(pair.publicKey)).toBe(key.keyId)
})

test('a shard is the first byte of SHA-256 of the gateway id', () => {
  // printf GW-000123 | sha256sum
  expect(shardOf(GatewayId.parse('GW-000123'))).toBe('8d')
})

test('a signed message opens to its body and costs 73 bytes', () => {
  expect(openMessage({ kind: 'rd', recipient: 'cloud', message, publicKeyFor: known })).toEqual({
    ok: true,
    body,
    keyId: key.keyId,
  })
  expect(message.length - body.length).toBe(73)
})

test('signing the same body again gives the same bytes', () => {
  expect(signMessage({ kind: 'rd', recipient: 'cloud', body, key })).toEqual(message)
})

const other = generateKeyPair()
type Change = [what: string, change: Partial<Unopened>, because: string]
test.for<Change>([
  ['another kind', { kind: 'rd/h' }, 'bad-signature'],
  ['another recipient', { recipient: 'cloud2' }, 'bad-signature'],
  ['a key that is not trusted', { publicKeyFor: () => undefined }, 'unknown-key'],
  ['another key under that id', { publicKeyFor: () => other.publicKey }, 'bad-signature'],
  ['a trusted text that is no key', { publicKeyFor: () => 'AAAA' }, 'bad-signature'],
  ['32 bytes that are no point', { publicKeyFor: () => `${'/'.repeat(43)}=` }, 'bad-signature'],
  ['nothing at all', { message: new Uint8Array() }, 'malformed'],
  ['a head cut short', { message: message.subarray(0, 72) }, 'malformed'],
  ['another version', { message: Uint8Array.from([2, ...message.subarray(1)]) }, 'malformed'],
])('%s is refused', ([, change, because]) => {
  const question = { kind: 'rd' as const, recipient: 'cloud', message, publicKeyFor: known }
  expect(openMessage({ ...question, ...change })).toEqual({ ok: false, because })
})

test('one changed bit anywhere is refused', () => {
  for (let bit = 0; bit < message.length * 8; bit += 1) {
    const changed = message.slice()
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    expect(openMessage({ kind: 'rd', recipient: 'cloud', message: changed, publicKeyFor: known }).ok).toBe(
      false,
    )
  }
})

test('no bytes make it throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      const opened = openMessage({
        kind: 'rd',
        recipient: 'cloud',
        message: noise,
        publicKeyFor: () => pair.publicKey,
      })
      expect(opened.ok).toBe(false)
    }),
  )
})
