import type { z } from 'zod'
import { type Keyset, PolicySnapshot } from '../../cloud-sync/contract/index.ts'
import type { Config } from '../config/config.ts'
import { sealKeyset, sealSnapshot, type SigningKey } from '../../cloud-sync/codec/index.ts'

/** What a configuration without a cloud says about people and devices. */
export type LocalRules = Omit<z.input<typeof PolicySnapshot>, 'v' | 'version' | 'issuedAt' | 'critical'>

/** The rules that a configuration without a cloud states: its users with their keys, its devices with their owners. */
export function localRules(config: Config): LocalRules | undefined {
  const { local, gateway } = config
  if (local === null) return undefined
  const home = local.organisation
  const guests = new Set(config.devices.map(({ organisation }) => organisation ?? home.id))
  guests.delete(home.id)
  return {
    gateway: gateway.id,
    owner: { org: home.id, ownerEpoch: 1 },
    organisations: [home, ...[...guests].map((id) => ({ id, name: id }))],
    members: local.users.map(({ name, role }) => ({
      org: home.id,
      name,
      role,
      incarnation: 1,
      // There is nobody else to read the usage for, and no bill.
      billing: role === 'admin',
    })),
    keys: local.users.map(({ name, keyHash }) => ({
      org: home.id,
      name,
      member: name,
      incarnation: 1,
      hash: keyHash,
    })),
    devices: config.devices.map(({ id, organisation, custodian, workspace }) => ({
      id,
      org: organisation ?? home.id,
      ownerEpoch: 1,
      custodian,
      workspace,
    })),
  }
}

/**
 * The snapshot of a gateway without a cloud, signed by its local root: the same bytes, checks and decisions as with one.
 * Undefined where `current` already says the same, so that a restart makes no new version.
 */
export function localSnapshot(given: {
  readonly rules: LocalRules
  readonly current: PolicySnapshot | undefined
  /** The newest version ever in force, which a database that was set back does not know of. */
  readonly newest: number
  readonly rootKey: SigningKey
  /** Epoch ms. */
  readonly now: number
}): Uint8Array | undefined {
  const { rules, current, rootKey } = given
  const version = given.newest + 1
  const snapshot = PolicySnapshot.parse({
    ...rules,
    v: 2,
    version,
    issuedAt: Math.max(0, given.now),
    critical: [],
  })
  if (current !== undefined && sameRules(current, snapshot)) return undefined
  const keyset: Keyset = { v: 2, generation: 1, version: 1, keys: [rootKey.publicKey] }
  return sealSnapshot({ keyset: sealKeyset(keyset, rootKey), snapshot, key: rootKey })
}

function sameRules(one: PolicySnapshot, other: PolicySnapshot): boolean {
  const text = (snapshot: PolicySnapshot): string => JSON.stringify({ ...snapshot, version: 0, issuedAt: 0 })
  return text(one) === text(other)
}
