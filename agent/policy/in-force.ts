import {
  type About,
  authenticate,
  type CompiledPolicy,
  compilePolicy,
  type Decision,
  decide,
  type Principal,
  type When,
} from '../../cloud-sync/access/index.ts'
import { sameHash } from '../../cloud-sync/codec/index.ts'
import {
  type Author,
  type DeviceId,
  type Hash,
  type PolicySnapshot,
  type Resource,
  type Right,
} from '../../cloud-sync/contract/index.ts'
import { type Configured, withConfigured } from './device-owner.ts'

type GatewayWhen = Extract<When, { place: 'gateway' }>

/** Who logged in with an API key, or with a certificate that stands for one. */
export interface Login {
  readonly principal: Principal
  /** The member behind the key: the author of what is changed with it. */
  readonly author: Author
}

/** A question; the time is now. */
export interface Asked {
  readonly principal: Principal
  readonly action: Right
  readonly resource: Resource
  readonly about?: About
}

/**
 * The policy in force on this gateway: what broker, console and commands all ask. Answers are remembered inside the
 * compiled policy, so that a new policy forgets them all at once.
 */
export class PolicyInForce {
  readonly when: () => GatewayWhen
  readonly #configured: readonly Configured[]
  #named: PolicySnapshot | undefined
  #snapshot: PolicySnapshot | undefined
  #compiled: CompiledPolicy | undefined

  /**
   * @param when policy time now
   * @param configured devices that are the owner's where no policy names them
   */
  constructor(when: () => GatewayWhen, configured: readonly Configured[] = []) {
    this.when = when
    this.#configured = configured
  }

  /** With the configured devices that the policy itself does not name. */
  get snapshot(): PolicySnapshot | undefined {
    return this.#snapshot
  }

  /** As it was compiled when it came into force; another object for each policy. */
  get compiled(): CompiledPolicy | undefined {
    return this.#compiled
  }

  apply(snapshot: PolicySnapshot | undefined): void {
    this.#named = snapshot
    this.#snapshot = snapshot && withConfigured(snapshot, this.#configured)
    this.#compiled = this.#snapshot && compilePolicy(this.#snapshot)
  }

  /** Whether the policy itself names the device, and not the configuration alone. */
  isNamed(device: DeviceId): boolean {
    return this.#named?.devices.some(({ id }) => id === device) === true
  }

  /**
   * A key that has expired opens nothing, also where the cloud has been silent since.
   * @param keyHash SHA-256 of the key; null = a verified certificate has proved the name
   */
  logIn(username: string, keyHash: Hash | null): Login | undefined {
    const snapshot = this.#snapshot
    if (snapshot === undefined) return undefined
    const { at } = this.when()
    const keys = snapshot.keys.filter(({ expiresAt }) => expiresAt === null || at < expiresAt)
    const answer = authenticate({ snapshot: { ...snapshot, keys }, username, keyHash, equal: sameHash })
    if (!answer.ok) return undefined
    const { principal, key } = answer
    const member = snapshot.members.find((one) => one.org === key.org && one.name === key.member)
    if (member === undefined) return undefined
    return { principal, author: { org: key.org, name: member.name, incarnation: member.incarnation } }
  }

  decide({ principal, action, resource, about }: Asked): Decision {
    return decide({ principal, action, resource, when: this.when(), ...(about && { about }) }, this.#compiled)
  }

  /** What the role says, whatever the place leaves to the cloud; for what is shown here of the gateway's own. */
  mayInCloud({ principal, action, resource }: Asked): boolean {
    const when = { place: 'cloud', at: this.when().at } as const
    return decide({ principal, action, resource, when }, this.#compiled).allowed
  }
}
