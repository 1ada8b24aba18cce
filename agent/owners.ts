import type { DeviceId, MemberName, OrgId, PolicySnapshot } from '../cloud-sync/contract/index.ts'
import type { Owner } from './metering/index.ts'
import { unnamedOwner } from './policy/device-owner.ts'

/** What the configuration says of a device: with a cloud a proposal, without a snapshot all there is. */
export interface ProposedOwner {
  readonly org: OrgId
  readonly custodian: MemberName | null
}

export interface OwnerRules {
  /** By device id. */
  readonly proposed: ReadonlyMap<string, ProposedOwner>
  /** Whose everything else is while there is no snapshot. */
  readonly organisation: OrgId
}

/**
 * Whose is a device now? The snapshot decides; a device it does not know belongs to the gateway's organisation. Answers the
 * same object until the snapshot changes.
 */
export class Owners {
  readonly #rules: OwnerRules
  readonly #known = new Map<string, Owner>()
  #snapshot: PolicySnapshot | null

  constructor(rules: OwnerRules, snapshot: PolicySnapshot | null) {
    this.#rules = rules
    this.#snapshot = snapshot
  }

  /** A new snapshot is in force: from here on its owners count. */
  replace(snapshot: PolicySnapshot): void {
    this.#snapshot = snapshot
    this.#known.clear()
  }

  of(device: DeviceId): Owner {
    let owner = this.#known.get(device)
    if (owner === undefined) this.#known.set(device, (owner = this.#find(device)))
    return owner
  }

  #find(device: DeviceId): Owner {
    if (this.#snapshot === null) {
      const { org, custodian } = this.#rules.proposed.get(device) ?? {
        org: this.#rules.organisation,
        custodian: null,
      }
      return { org, ownerEpoch: 1, custodian, workspace: null }
    }
    const owned = this.#snapshot.devices.find(({ id }) => id === device)
    if (owned === undefined) return unnamedOwner(this.#snapshot)
    const { org, ownerEpoch, custodian, workspace } = owned
    return { org, ownerEpoch, custodian, workspace }
  }
}
