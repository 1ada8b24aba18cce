import { expect, test } from 'vitest'
import {
  claimKeyOf,
  cloudIdOf,
  generateKeyPair,
  keyIdOf,
  labelText,
  newClaimCode,
  NOBODYS_KEY,
  openChallenge,
  openClaimDocument,
  openOnlineProof,
  openReceipt,
  openSiteProof,
  parseLabel,
  sealBirth,
  sealChallenge,
  sealKeyset,
  sealOnlineProof,
  sealReceipt,
  sealSiteProof,
  sealTicket,
  type SigningKey,
  signingKey,
} from '../../../cloud-sync/codec/index.ts'
import {
  ClaimCode,
  ClaimReceipt,
  ClaimTicket,
  GatewayId,
  OnlineProof,
  type SiteProof,
} from '../../../cloud-sync/contract/index.ts'

const gateway = GatewayId.parse('GW-000123')
const anyKey = (): SigningKey => signingKey(generateKeyPair().privateKey)
const [root, signing, identity, claimKey] = [anyKey(), anyKey(), anyKey(), anyKey()]
const cloudId = cloudIdOf(root.publicKey)
const keyset = sealKeyset({ v: 2, generation: 1, version: 1, keys: [signing.publicKey] }, root)
const by = { keyset, key: signing }
const nonceP = 'a'.repeat(32)
const nonceG = 'b'.repeat(32)

const ticket = ClaimTicket.parse({
  v: 1,
  id: 't-1',
  kind: 'ticket',
  organisation: { id: 'acme', name: 'Acme' },
  workspace: null,
  installer: 'ian',
  serials: [gateway],
  maxUses: 1,
  from: 0,
  until: 1,
  members: [{ org: 'acme', name: 'ian', role: 'installer', incarnation: 1 }],
  keys: [],
})
const LABEL = 'GC1:HG-4:GW-000123:34750f98bd59fcfc:0123456789ABCDEFGHJK'
const label = {
  model: 'HG-4',
  serial: gateway,
  keyFp: '34750f98bd59fcfc',
  code: ClaimCode.parse('0123456789ABCDEFGHJK'),
}

test('a label is one line, and reads back to what it says', () => {
  const text = labelText(label)
  // python3 -c "import zlib; print('%08x' % zlib.crc32(b'GC1:HG-4:GW-000123:34750f98bd59fcfc:0123456789ABCDEFGHJK'))"
  expect(text).toBe(`${LABEL}:a5195280`)
  expect(parseLabel(text)).toEqual(label)
})

test.for([
  [
    'a code in lower case, in groups',
    (text: string) => text.replace('0123456789ABCDEFGHJK', '01234-56789-abcde-fghjk'),
  ],
  ['letters that look like digits', (text: string) => text.replace('01234', 'O1234').replace('O1', 'Ol')],
  ['spaces around', (text: string) => ` ${text}\n`],
] as const)('a label typed with %s is the same label', ([, typed]) => {
  expect(parseLabel(typed(labelText(label)))).toEqual(label)
})

test('a label with any one character read wrongly is none', () => {
  const text = labelText(label)
  for (let at = 0; at < text.length; at += 1) {
    const other = text[at] === '7' ? '8' : '7'
    expect(parseLabel(text.slice(0, at) + other + text.slice(at + 1)), `character ${at}`).toBeUndefined()
  }
  for (const none of ['', 'GC1', 'GC2:a:b:c:d:e', `${text}:1`, text.slice(0, -1)]) {
    expect(parseLabel(none)).toBeUndefined()
  }
})

test('codes have 100 random bits without letters that are taken for digits', () => {
  const codes = Array.from({ length: 200 }, () => newClaimCode())
  expect(new Set(codes).size).toBe(codes.length)
  expect(new Set(codes.join('')).size).toBe(32)
  expect(codes.join('')).not.toMatch(/[ILOU]/)
})

test('the same code is the same key, and another one on another gateway', async () => {
  const key = await claimKeyOf(gateway, label.code)
  // python3: hashlib.scrypt(b'0123456789ABCDEFGHJK', salt=b'headgate claim GW-000123', n=2**15, r=8, p=1, dklen=32,
  // maxmem=2**26), then the public key of Ed25519 from that seed.
  expect(key.publicKey).toBe('rFaxRDQbu4jQlKoc0Pyn0cq4bZM39Na+KDOsvOkM7lY=')
  expect((await claimKeyOf(GatewayId.parse('GW-000124'), label.code)).publicKey).not.toBe(key.publicKey)
})

test('what the cloud says about claiming is believed from its own root only, and a birth only by its gateway', () => {
  const birth = { v: 1, gateway, model: 'HG-4', generation: 1, claimKey: claimKey.publicKey } as const
  const sealedBirth = sealBirth(birth, by)
  const sealedTicket = sealTicket(ticket, { ...by, cloudId })
  const read = (bytes: Uint8Array, whose = gateway, rootKey = root) =>
    openClaimDocument({ rootPublicKey: rootKey.publicKey, gateway: whose, bytes })
  expect(read(sealedBirth)).toMatchObject({ what: 'birth', birth })
  expect(read(sealedTicket)).toMatchObject({ what: 'ticket', ticket, keyset: { version: 1 } })
  const other = GatewayId.parse('GW-000124')
  expect(read(sealedTicket, other)).toMatchObject({ what: 'ticket' })
  expect(read(sealedBirth, other)).toBeUndefined()
  expect(read(sealedTicket, gateway, anyKey())).toBeUndefined()
  // A ticket passed off as a birth, and any flipped byte.
  expect(read(Uint8Array.from(sealedTicket).with(1, 1))).toBeUndefined()
  for (let at = 0; at < sealedTicket.length; at += 7) {
    expect(read(sealedTicket.with(at, (sealedTicket[at] ?? 0) ^ 1)), `byte ${at}`).toBeUndefined()
  }
  expect(read(new Uint8Array())).toBeUndefined()
})

test('a challenge answers one asking, and only the gateway of the label can', () => {
  const challenge = { v: 1, gateway, generation: 1, nonceP, nonceG } as const
  const message = sealChallenge(challenge, identity)
  const { publicKey } = identity
  expect(openChallenge(message, { nonceP, publicKey })).toEqual(challenge)
  expect(openChallenge(message, { nonceP: nonceG, publicKey })).toBeUndefined()
  expect(openChallenge(message, { nonceP, publicKey: root.publicKey })).toBeUndefined()
})

test('a proof on site is none in the cloud, and the other way round', () => {
  const onSite: SiteProof = { v: 1, gateway, nonceP, nonceG, ticket: ticket.id }
  const online = OnlineProof.parse({
    v: 1,
    gateway,
    org: 'acme',
    workspace: null,
    user: 'ian',
    nonce: nonceP,
  })
  const site = sealSiteProof(onSite, claimKey)
  const sent = sealOnlineProof(online, { cloudId, key: claimKey })
  const { publicKey } = claimKey
  expect(openSiteProof(site, { gateway, claimKey: publicKey })).toEqual(onSite)
  expect(openOnlineProof(sent, { cloudId, claimKey: publicKey })).toEqual(online)
  expect(openSiteProof(sent, { gateway, claimKey: publicKey })).toBeUndefined()
  expect(openOnlineProof(site, { cloudId, claimKey: publicKey })).toBeUndefined()
  expect(openSiteProof(site, { gateway, claimKey: identity.publicKey })).toBeUndefined()
})

test('a receipt is the gateway’s word to its own cloud', () => {
  const receipt = ClaimReceipt.parse({
    v: 1,
    what: 'claimed',
    gateway,
    keyFp: keyIdOf(identity.publicKey),
    generation: 1,
    claimCounter: 1,
    bootId: 'boot',
    monoMs: 5,
    at: null,
    org: 'acme',
    ticket: ticket.id,
    installer: 'ian',
    presence: 'code',
  })
  const message = sealReceipt(receipt, { cloudId, key: identity })
  expect(openReceipt(message, { cloudId, publicKey: identity.publicKey })).toEqual(receipt)
  expect(openReceipt(message, { cloudId, publicKey: claimKey.publicKey })).toBeUndefined()
  expect(openReceipt(message, { cloudId: '0'.repeat(16), publicKey: identity.publicKey })).toBeUndefined()
})

test('the key that nobody has is a point of the curve, so that checking against it takes as long as against any', () => {
  const p = 2n ** 255n - 19n
  const power = (base: bigint, exponent: bigint): bigint => {
    let [result, square, left] = [1n, base % p, exponent]
    for (; left > 0n; left >>= 1n, square = (square * square) % p)
      if (left & 1n) result = (result * square) % p
    return result
  }
  const y = BigInt(`0x${Buffer.from(NOBODYS_KEY, 'base64').reverse().toString('hex')}`)
  const d = ((p - 121_665n) * power(121_666n, p - 2n)) % p
  const x2 = ((y * y - 1n + p) * power(d * y * y + 1n, p - 2n)) % p
  expect(y < p).toBe(true)
  // Euler: 1 for the square of something. RFC 8032, 5.1.3: then there is an x, and it is a point.
  expect(power(x2, (p - 1n) / 2n)).toBe(1n)
})
