import { encodeChange } from '../../cloud-sync/codec/index.ts'
import { CLOUD_REPLICA, GatewayChange, type PolicySnapshot } from '../../cloud-sync/contract/index.ts'

/** Makes changes as a gateway does that last heard the policy it was given. */
export class ChangesAtGateway {
  readonly replica: string
  #seq = 0
  #policy: PolicySnapshot

  constructor(policy: PolicySnapshot, replica = 'r'.repeat(32)) {
    this.#policy = policy
    this.replica = replica
  }

  /** The link works: this policy is in force there now. */
  hears(policy: PolicySnapshot): void {
    this.#policy = policy
  }

  make(author: string, change: object, more: Partial<GatewayChange> = {}): GatewayChange {
    const [org = '', name = ''] = author.split(':')
    const { gateway, owner, version, members, issuedAt } = this.#policy
    const member = members.find((one) => one.org === org && one.name === name)
    this.#seq += 1
    return GatewayChange.parse({
      v: 1,
      gw: gateway,
      ownerEpoch: owner.ownerEpoch,
      proposal: {
        dot: { replica: this.replica, seq: this.#seq },
        seen: { [CLOUD_REPLICA]: version, ...(this.#seq > 1 && { [this.replica]: this.#seq - 1 }) },
        author: { org, name, incarnation: member?.incarnation ?? 1 },
        at: issuedAt + 1,
        change,
      },
      ...more,
    })
  }

  /** Shows `tilt-1` to a member of the gateway's organisation. */
  share(author: string, to: string, more: object = {}): GatewayChange {
    const [org = '', name = ''] = author.split(':')
    const [toOrg = '', toName = ''] = to.split(':')
    const { owner } = this.#policy
    return this.make(author, {
      kind: 'grant.add',
      grant: {
        id: `here-${this.replica.slice(0, 12)}-${this.#seq + 1}`,
        on: { kind: 'device', device: 'tilt-1' },
        to: { kind: 'member', org: toOrg, name: toName, incarnation: 1 },
        level: 'viewer',
        ownerEpoch: owner.ownerEpoch,
        via: null,
        by: { org, name, incarnation: 1 },
        expiresAt: this.#policy.issuedAt + 72 * 3_600_000,
        ...more,
      },
    })
  }

  revoke(author: string, to: string): GatewayChange {
    const [org = '', name = ''] = to.split(':')
    const member = { kind: 'member', org, name, incarnation: 1 }
    return this.make(author, { kind: 'grant.remove', on: { kind: 'device', device: 'tilt-1' }, to: member })
  }
}

export const bodyOf = (change: GatewayChange): Uint8Array => encodeChange(change)
