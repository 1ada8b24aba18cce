import { expect, test } from 'vitest'
import { deflateRawSync } from 'node:zlib'
import {
  applyDelta,
  diffPolicy,
  generateKeyPair,
  keysetLookup,
  openDelta,
  openSnapshot,
  type PolicyDelta,
  policyBody,
  policyHash,
  sealDelta,
  sealKeyset,
  sealSnapshot,
  sha256,
  signingKey,
} from '../../../cloud-sync/codec/index.ts'
import { type GatewayId, type Hash, PolicySnapshot } from '../../../cloud-sync/contract/index.ts'
import { largePolicy } from '../../support/policies.ts'

const key = signingKey(generateKeyPair().privateKey)
const keyset = { v: 2 as const, generation: 1, version: 1, keys: [key.publicKey] }
const gateway = 'GW-000123' as GatewayId
const hash = (text: string): Hash => sha256(Buffer.from(text))

const before = largePolicy({ members: 200, grants: 500 })
/** The next version with one change. */
function next(change: (policy: PolicySnapshot) => void): PolicySnapshot {
  const policy = structuredClone(before)
  policy.version += 1
  policy.issuedAt += 12_345_678
  policy.freshUntil = (policy.freshUntil ?? 0) + 12_345_678
  policy.hardUntil = (policy.hardUntil ?? 0) + 12_345_678
  change(policy)
  return PolicySnapshot.parse(policy)
}
const text = (policy: PolicySnapshot) => ({ version: policy.version, body: policyBody(policy) })
function delta(to: PolicySnapshot, from = before): PolicyDelta {
  const made = diffPolicy(text(from), text(to))
  if (made === undefined) throw new Error('no delta')
  return made
}
const [somebody] = before.members
const changes: [string, (policy: PolicySnapshot) => void][] = [
  ['a grant is made', (p) => p.grants.splice(250, 0, { ...p.grants[3], id: 'g-0123456789abcdef' } as never)],
  ['a grant is ended', (p) => p.grants.splice(77, 1)],
  [
    'a key is made',
    (p) =>
      p.keys.splice(9, 0, {
        ...p.keys[9],
        name: 'scada-north-17',
        hash: hash('a key of chance'),
      } as never),
  ],
  ['a key is ended', (p) => p.keys.splice(0, 1)],
  [
    'a member joins',
    (p) => p.members.push({ ...somebody, name: 'maximiliane-of-the-river', role: 'editor' } as never),
  ],
  ['a member is suspended', (p) => Object.assign(p.members[100] ?? {}, { state: 'suspended' })],
  ['a device comes', (p) => p.devices.push({ ...p.devices[0], id: 'tilt-north-face-2' } as never)],
  ['the gateway changes hands', (p) => Object.assign(p.owner, { org: 'org-3', ownerEpoch: 2 })],
  [
    'an organisation lets another in',
    (p) => p.policies.push({ ...p.policies[0], id: 'p-0123456789abcdef' } as never),
  ],
]

test.for(changes)('where %s, a delta of at most 300 bytes leads to the very text', ([, change]) => {
  const to = next(change)
  const bytes = sealDelta({ delta: delta(to), gateway, key })
  expect(bytes.length).toBeLessThanOrEqual(300)
  const opened = openDelta({ gateway, bytes, publicKeyFor: keysetLookup(keyset) })
  if (!opened.ok) throw new Error(opened.because)
  const applied = applyDelta(text(before), opened.delta, gateway)
  expect(applied).toMatchObject({ ok: true, snapshot: to, hash: policyHash(policyBody(to)) })
  expect(applied.ok && Buffer.from(applied.body).equals(policyBody(to))).toBe(true)
})

test('lists that change in many places, also their order, lead to the very text', () => {
  const to = next((p) => {
    p.members.reverse()
    p.grants = p.grants.filter((_, index) => index % 7 !== 0)
    p.keys = []
    p.teams.push({ org: 'org-1', handle: 'crew', name: 'Crew', members: [] } as never)
    p.devices.push(...p.devices.slice(0, 2))
  })
  expect(applyDelta(text(before), delta(to), gateway)).toMatchObject({ ok: true, snapshot: to })
})

test('200 members and 500 grants, key hashes included, are at most 32 kB on the wire', () => {
  const bytes = sealSnapshot({ keyset: sealKeyset(keyset, key), snapshot: before, key })
  expect(bytes.length).toBeLessThanOrEqual(32_000)
  const read = openSnapshot({ rootPublicKey: key.publicKey, gateway, bytes, newestKeyset: undefined })
  expect(read).toMatchObject({ ok: true, snapshot: before })
})

test('there is no delta where only the whole will do', () => {
  const other = { ...text(before), body: Buffer.from('{"v":2,"gateway":"GW-000123","version":8}') }
  expect(diffPolicy(text(before), { ...other, version: before.version + 1 })).toBeUndefined()
  expect(diffPolicy(text(before), text(before))).toBeUndefined()
  const raised = next((p) => (p.generation = 2))
  expect(diffPolicy(text(before), text(raised))).toBeUndefined()
})

const to = next((p) => p.grants.splice(1, 1))
const good = delta(to)
const packed = (edit: unknown): Uint8Array => deflateRawSync(Buffer.from(JSON.stringify(edit)))
const wrong: [string, Partial<PolicyDelta>, string][] = [
  ['from another version', { fromVersion: good.fromVersion + 1 }, 'base'],
  ['from another text', { fromHash: hash('another') }, 'base'],
  ['to another text', { toHash: hash('another') }, 'malformed'],
  ['to another version', { toVersion: good.toVersion + 1 }, 'malformed'],
  ['of no edit', { edit: new Uint8Array() }, 'malformed'],
  ['of an edit that unpacks to more than is taken', { edit: packed('x'.repeat(2 ** 21)) }, 'malformed'],
  ['of a part that is not there', { edit: packed([['nothing', '=', 1]]) }, 'malformed'],
  ['of entries that are not there', { edit: packed([['grants', [[9999, 1]]]]) }, 'malformed'],
  ['that splices what is no list', { edit: packed([['owner', [[0, 1]]]]) }, 'malformed'],
  ['that raises the generation', { edit: packed([['generation', '=', 2]]) }, 'malformed'],
]
test.for(wrong)('a delta %s changes nothing', ([, change, because]) => {
  expect(applyDelta(text(before), { ...good, ...change }, gateway)).toEqual({ ok: false, because })
})

test('a delta to a policy with a part that is not understood here, or for another gateway, is refused', () => {
  const critical = next((p) => p.critical.push('moon-phase'))
  expect(applyDelta(text(before), delta(critical), gateway)).toEqual({ ok: false, because: 'critical' })
  expect(applyDelta(text(before), good, 'GW-2' as GatewayId)).toEqual({
    ok: false,
    because: 'other-gateway',
  })
})

test('a delta opens for its gateway and under the keyset only', () => {
  const bytes = sealDelta({ delta: good, gateway, key })
  const publicKeyFor = keysetLookup(keyset)
  const open = (change: object) => openDelta({ gateway, bytes, publicKeyFor, ...change })
  expect(open({})).toEqual({ ok: true, delta: { ...good, edit: Buffer.from(good.edit) } })
  expect(open({ gateway: 'GW-2' })).toEqual({ ok: false, because: 'unsigned' })
  expect(open({ publicKeyFor: () => undefined })).toEqual({ ok: false, because: 'unknown-key' })
  expect(open({ bytes: bytes.subarray(1) })).toEqual({ ok: false, because: 'malformed' })
  expect(open({ bytes: bytes.subarray(0, -1) })).toEqual({ ok: false, because: 'unsigned' })
  expect(open({ bytes: new Uint8Array() })).toEqual({ ok: false, because: 'malformed' })
})
