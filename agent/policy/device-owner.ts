import type { OrgId, PolicySnapshot, Shareable } from '../../cloud-sync/contract/index.ts'

interface Owned {
  readonly org: OrgId
  readonly ownerEpoch: number
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
