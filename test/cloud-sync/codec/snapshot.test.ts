import { brotliCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import {
  generateKeyPair,
  keysetLookup,
  openAck,
  openKeyset,
  openSnapshot,
  policyBody,
  policyHash,
  sealAck,
  sealKeyset,
  sealSnapshot,
  sha256,
  signingKey,
  signMessage,
} from '../../../cloud-sync/codec/index.ts'
import {
  Epoch,
  GatewayId,
  PolicySnapshot,
  PolicySnapshotV1,
  raisedPolicy,
  STREAMS,
  ZERO_HASH,
} from '../../../cloud-sync/contract/index.ts'

const root = signingKey(generateKeyPair().privateKey)
const cloud = signingKey(generateKeyPair().privateKey)
const keyset = { v: 2 as const, generation: 1, version: 3, keys: [cloud.publicKey] }
const sealedKeyset = sealKeyset(keyset, root)
const gateway = GatewayId.parse('GW-000123')
const snapshot = PolicySnapshot.parse({
  v: 2,
  gateway,
  version: 7,
  issuedAt: 1_790_000_000_000,
  owner: { org: 'acme', ownerEpoch: 1 },
  organisations: [{ id: 'acme', name: 'Acme' }],
  members: [],
  keys: [],
  devices: [],
  critical: [],
})
const bytes = sealSnapshot({ keyset: sealedKeyset, snapshot, key: cloud })
const ours = { rootPublicKey: root.publicKey, gateway, bytes, newestKeyset: undefined }

test('a snapshot carries its keyset and opens under the root alone', () => {
  const read = openSnapshot(ours)
  expect(read).toMatchObject({ ok: true, snapshot, keyset, hash: sha256(bytes) })
  if (!read.ok) return
  expect(Buffer.from(read.body).equals(policyBody(snapshot))).toBe(true)
  expect(read.bodyHash).toBe(policyHash(policyBody(snapshot)))
})

test('a snapshot of version 1 that a gateway holds is read as the newest version', () => {
  const old = PolicySnapshotV1.parse({
    v: 1,
    gateway,
    version: 7,
    issuedAt: 1_790_000_000_000,
    gatewayOrg: 'acme',
    organisations: [{ id: 'acme', name: 'Acme' }],
    members: [{ org: 'acme', name: 'ana', role: 'admin', incarnation: 3 }],
    keys: [{ org: 'acme', name: 'scada', member: 'ana', hash: ZERO_HASH }],
    devices: [],
    shares: [],
    critical: [],
  })
  const written = sealSnapshot({
    keyset: sealedKeyset,
    snapshot: old as unknown as PolicySnapshot,
    key: cloud,
  })
  const read = openSnapshot({ ...ours, bytes: written })
  expect(read).toMatchObject({ ok: true, snapshot: raisedPolicy(old) })
  expect(raisedPolicy(old)).toMatchObject({
    v: 2,
    version: 7,
    owner: { org: 'acme', ownerEpoch: 1, claim: 'claimed' },
    members: [{ role: 'admin', incarnation: 3, state: 'active', billing: true }],
    keys: [{ incarnation: 3, scope: 'full', expiresAt: null }],
    hardUntil: null,
  })
})

test('a body that is JSON as it is, as it was signed before there was another form, is still read', () => {
  const message = signMessage({ kind: 'pol', recipient: gateway, body: policyBody(snapshot), key: cloud })
  const written = Buffer.concat([bytes.subarray(0, 3 + sealedKeyset.length), message])
  expect(openSnapshot({ ...ours, bytes: written })).toMatchObject({
    ok: true,
    snapshot,
    bodyHash: policyHash(policyBody(snapshot)),
  })
})

test('a signed body that unpacks to more than is taken is refused', () => {
  const bomb = Buffer.concat([
    Buffer.from([1, gateway.length]),
    Buffer.from(gateway),
    brotliCompressSync(Buffer.alloc(2 ** 23)),
  ])
  const message = signMessage({ kind: 'pol', recipient: gateway, body: bomb, key: cloud })
  const written = Buffer.concat([bytes.subarray(0, 3 + sealedKeyset.length), message])
  expect(written.length).toBeLessThan(1000)
  expect(openSnapshot({ ...ours, bytes: written })).toEqual({ ok: false, because: 'malformed' })
})

const stranger = signingKey(generateKeyPair().privateKey)
test.for([
  ['of another root', { rootPublicKey: stranger.publicKey }, 'unsigned'],
  ['for another gateway', { gateway: GatewayId.parse('GW-2') }, 'other-gateway'],
  ['with a keyset older than one seen', { newestKeyset: { generation: 1, version: 4 } }, 'older'],
  ['with a keyset of an older generation', { newestKeyset: { generation: 2, version: 1 } }, 'older'],
  [
    'of an older generation, wrapped with a newer keyset',
    {
      bytes: sealSnapshot({
        keyset: sealKeyset({ ...keyset, generation: 2 }, root),
        snapshot,
        key: cloud,
      }),
    },
    'older',
  ],
  [
    'signed by a key outside its keyset',
    { bytes: sealSnapshot({ keyset: sealedKeyset, snapshot, key: stranger }) },
    'unsigned',
  ],
  [
    'with a keyset of a stranger',
    { bytes: sealSnapshot({ keyset: sealKeyset(keyset, stranger), snapshot, key: cloud }) },
    'unsigned',
  ],
  [
    'with a part it does not understand',
    { bytes: sealSnapshot({ keyset: sealedKeyset, snapshot: { ...snapshot, critical: ['x'] }, key: cloud }) },
    'critical',
  ],
  ['of no bytes', { bytes: new Uint8Array() }, 'malformed'],
  ['of another version', { bytes: Uint8Array.from([9, ...bytes.subarray(1)]) }, 'malformed'],
  ['cut in its keyset', { bytes: bytes.subarray(0, 90) }, 'malformed'],
  ['cut in its body', { bytes: bytes.subarray(0, -1) }, 'unsigned'],
] as const)('a snapshot %s is refused', ([, change, because]) => {
  expect(openSnapshot({ ...ours, ...change })).toEqual({ ok: false, because })
})

test('a keyset opens under its own root only', () => {
  expect(openKeyset(root.publicKey, sealedKeyset)).toEqual(keyset)
  expect(openKeyset(stranger.publicKey, sealedKeyset)).toBeUndefined()
})

const ack = {
  epoch: Epoch.parse('ab'.repeat(16)),
  upTo: 4,
  hash: ZERO_HASH,
  status: 'ok' as const,
  serverTime: 1_790_000_000_000,
}
test.for(STREAMS)('an acknowledgement of %s opens on its own stream and gateway only', (stream) => {
  const message = sealAck({ stream, gateway, ack, key: cloud })
  const publicKeyFor = keysetLookup(keyset)
  for (const asked of STREAMS) {
    const opened = openAck({ stream: asked, gateway, message, publicKeyFor })
    expect(opened).toEqual(asked === stream ? { ok: true, ack } : { ok: false, because: 'bad-signature' })
  }
  expect(openAck({ stream, gateway: GatewayId.parse('GW-2'), message, publicKeyFor }).ok).toBe(false)
})
