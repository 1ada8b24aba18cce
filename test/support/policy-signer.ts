import {
  diffPolicy,
  generateKeyPair,
  policyBody,
  sealDelta,
  sealKeyset,
  sealSnapshot,
  type SigningKey,
  signingKey,
} from '../../cloud-sync/codec/index.ts'
import type { PolicySnapshot } from '../../cloud-sync/contract/index.ts'
import { largePolicy } from './policies.ts'

/** What signs policies as a cloud does, and can do what a cloud must not. */
export class PolicySigner {
  readonly root: SigningKey = signingKey(generateKeyPair().privateKey)
  key: SigningKey = signingKey(generateKeyPair().privateKey)
  generation = 1
  keyset = 1

  /** New keys, under the root. */
  rotate(): void {
    this.key = signingKey(generateKeyPair().privateKey)
    this.keyset += 1
  }

  /** The operator's word after the cloud came back from a backup: new keys, a new generation. */
  raise(): void {
    this.rotate()
    this.generation += 1
    this.keyset = 1
  }

  /** A policy of ten people, its version in a member's name too, so that each has another text. */
  policy(version: number, change: Partial<PolicySnapshot> = {}): PolicySnapshot {
    const base = largePolicy({ members: 10, grants: 20, version })
    const [first, ...rest] = base.members
    const members = first === undefined ? [] : [{ ...first, incarnation: 1 + (version % 1000) }, ...rest]
    const issuedAt = base.issuedAt + 60_000 * (version % 100_000)
    return { ...base, generation: this.generation, members, issuedAt, ...change }
  }

  sealedKeyset(): Uint8Array {
    const { generation, keyset: version, key, root } = this
    return sealKeyset({ v: 2, generation, version, keys: [key.publicKey] }, root)
  }

  whole(policy: PolicySnapshot): Uint8Array {
    return sealSnapshot({ keyset: this.sealedKeyset(), snapshot: policy, key: this.key })
  }

  change(from: PolicySnapshot, to: PolicySnapshot): Uint8Array {
    const delta = diffPolicy(
      { version: from.version, body: policyBody(from) },
      { version: to.version, body: policyBody(to) },
    )
    if (delta === undefined) throw new Error('these two have no change between them')
    return sealDelta({ delta, gateway: to.gateway, key: this.key })
  }
}
