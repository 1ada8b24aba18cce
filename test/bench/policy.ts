import { randomBytes } from 'node:crypto'
import {
  applyDelta,
  diffPolicy,
  generateKeyPair,
  openSnapshot,
  sealDelta,
  sealKeyset,
  sealSnapshot,
  signingKey,
} from '../../cloud-sync/codec/index.ts'
import { GatewayId, PolicySnapshot } from '../../cloud-sync/contract/index.ts'
import type { Bench } from '../support/harness.ts'

const MEMBERS = 200
const GRANTS = 500
const ROUNDS = 200

const gateway = GatewayId.parse('GW-1')
const names = Array.from({ length: MEMBERS }, (_, n) => `member-${n}`)
const policyOf = (version: number, grants: number): PolicySnapshot =>
  PolicySnapshot.parse({
    v: 2,
    gateway,
    version,
    issuedAt: 1,
    owner: { org: 'acme', ownerEpoch: 1 },
    organisations: [{ id: 'acme', name: 'Acme' }],
    members: names.map((name) => ({ org: 'acme', name, role: 'member', incarnation: 1 })),
    keys: names.map((name) => ({ org: 'acme', name, member: name, incarnation: 1, hash: hashOf(name) })),
    devices: [{ id: 'tilt-1', org: 'acme', ownerEpoch: 1 }],
    grants: Array.from({ length: grants }, (_, n) => ({
      id: `g-${n}`,
      on: { kind: 'device', device: 'tilt-1' },
      to: { kind: 'member', org: 'acme', name: names[n % MEMBERS], incarnation: 1 },
      level: 'viewer',
      ownerEpoch: 1,
    })),
    critical: [],
  })
const hashes = new Map(names.map((name) => [name, randomBytes(32).toString('hex')]))
const hashOf = (name: string): string => hashes.get(name) ?? ''

export const bench: Bench = {
  what: 'A policy of 200 members with key hashes and 500 grants: bytes on the link, and opening it.',
  run() {
    const root = signingKey(generateKeyPair().privateKey)
    const key = signingKey(generateKeyPair().privateKey)
    const keyset = sealKeyset({ v: 2, generation: 1, version: 1, keys: [key.publicKey] }, root)
    const sealed = [policyOf(1, GRANTS), policyOf(2, GRANTS + 1)].map((snapshot) =>
      sealSnapshot({ keyset, snapshot, key }),
    )
    const opened = sealed.map((bytes) =>
      openSnapshot({ rootPublicKey: root.publicKey, gateway, bytes, newestKeyset: undefined }),
    )
    const [from, to] = opened
    if (from?.ok !== true || to?.ok !== true) throw new Error('a sealed policy does not open')
    const delta = diffPolicy({ version: 1, body: from.body }, { version: 2, body: to.body })
    if (delta === undefined) throw new Error('no delta leads there')
    const times = Array.from({ length: ROUNDS }, () => {
      const began = performance.now()
      applyDelta({ version: 1, body: from.body }, delta, gateway)
      return performance.now() - began
    }).toSorted((a, b) => a - b)
    return Promise.resolve({
      snapshotBytes: sealed[0]?.length ?? 0,
      deltaBytes: sealDelta({ delta, gateway, key }).length,
      applyP99Ms: times[Math.floor(ROUNDS * 0.99)] ?? 0,
    })
  },
}
