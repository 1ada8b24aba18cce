import { type Keyset, PolicySnapshot } from '../../cloud-sync/contract/index.ts'
import { sealKeyset, sealSnapshot, type SigningKey } from '../../cloud-sync/codec/index.ts'

/** What a configuration without a cloud says about people and devices. */
export type LocalPolicy = Omit<PolicySnapshot, 'v' | 'version' | 'issuedAt' | 'critical'>

/**
 * The snapshot of a gateway without a cloud, signed by its local root: the same bytes, checks and decisions as with one.
 * Undefined where `current` already says the same, so that a restart makes no new version.
 */
export function localSnapshot(given: {
  readonly policy: LocalPolicy
  readonly current: PolicySnapshot | undefined
  readonly rootKey: SigningKey
  /** Epoch ms. */
  readonly now: number
}): Uint8Array | undefined {
  const { policy, current, rootKey } = given
  const version = (current?.version ?? 0) + 1
  const snapshot = PolicySnapshot.parse({
    ...policy,
    v: 1,
    version,
    issuedAt: Math.max(0, given.now),
    critical: [],
  })
  if (current !== undefined && sameRules(current, snapshot)) return undefined
  const keyset: Keyset = { v: 1, version: 1, keys: [rootKey.publicKey] }
  return sealSnapshot({ keyset: sealKeyset(keyset, rootKey), snapshot, key: rootKey })
}

function sameRules(one: PolicySnapshot, other: PolicySnapshot): boolean {
  const rules = (snapshot: PolicySnapshot): string => JSON.stringify({ ...snapshot, version: 0, issuedAt: 0 })
  return rules(one) === rules(other)
}
