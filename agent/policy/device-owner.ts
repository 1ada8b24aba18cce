import {
  type DeviceId,
  NOBODY,
  type OrgId,
  OwnedDevice,
  type PolicySnapshot,
  type Shareable,
} from '../../cloud-sync/contract/index.ts'

interface Owned {
  readonly org: OrgId
  readonly ownerEpoch: number
}

/** What the configuration says of a device. */
export interface Configured {
  readonly id: DeviceId
  /** Null where it says nothing. */
  readonly organisation: OrgId | null
}

/** Whose the gateway, a device or a sensor is; a sensor without an entry of its own is its device's owner's. */
export function deviceOwner({ owner, devices, sensors }: PolicySnapshot, on: Shareable): Owned {
  if (on.kind !== 'device' && on.kind !== 'sensor') return owner
  const sensor =
    on.kind === 'sensor'
      ? sensors.find((one) => one.device === on.device && one.sensor === on.sensor)
      : undefined
  return sensor ?? devices.find(({ id }) => id === on.device) ?? owner
}

/** Whose a device is that the policy does not name: the gateway's owner's, in nobody's custody and in no workspace. */
export const unnamedOwner = ({ owner: { org, ownerEpoch } }: Pick<PolicySnapshot, 'owner'>) =>
  ({ org, ownerEpoch, custodian: null, workspace: null }) as const

/**
 * The policy with the configured devices that it does not name, as their owner's: what is read at a gateway that was claimed
 * on site is seen there before the directory knows of it. Not so where the configuration says another organisation than
 * the owner: whoever writes that file gives nobody access, and the owner is not shown what is said to be a guest's. Such a
 * device is nobody's to see until the directory names it. A gateway that is nobody's, or in dispute, has none.
 *
 * No share is of a device that the policy does not name: one that was removed from the directory, and goes on being read
 * here, is shown to nobody by what was shared of it before.
 */
export function withConfigured(snapshot: PolicySnapshot, configured: readonly Configured[]): PolicySnapshot {
  const { owner, devices } = snapshot
  if (owner.org === NOBODY || !HELD.has(owner.claim)) return snapshot
  const named = new Set(devices.map(({ id }) => id))
  const unnamed = configured.filter(
    ({ id, organisation }) => !named.has(id) && (organisation ?? owner.org) === owner.org,
  )
  if (unnamed.length === 0) return snapshot
  const added = unnamed.map(({ id }) => OwnedDevice.parse({ id, ...unnamedOwner(snapshot) }))
  const brought = new Set(added.map(({ id }) => id))
  const grants = snapshot.grants.filter(({ on }) => !('device' in on) || !brought.has(on.device))
  return { ...snapshot, devices: [...devices, ...added], grants }
}

const HELD: ReadonlySet<PolicySnapshot['owner']['claim']> = new Set(['provisional', 'claimed', 'releasing'])
