import type { GatewayId, OrgId, PolicySnapshot } from '../../contract/index.ts'
import type { CloudKeys } from '../keys/index.ts'
import { type Looked, type SealedPolicy, sealedIn, snapshotOf } from './sealing.ts'

export interface RegisteredGateway {
  readonly id: GatewayId
  readonly org: OrgId
  /** 32 raw Ed25519 bytes, base64. */
  readonly publicKey: string
}

interface Known {
  readonly gateway: RegisteredGateway
  /** What the cloud decides by. */
  readonly snapshot: PolicySnapshot
  /** The same as text, to see whether it has changed. */
  readonly present: string
  /** Those that the gateway is told of, and those that the cloud still decides by. */
  readonly organisations: ReadonlySet<string>
}

type Listener = (gateway: GatewayId, sealed: SealedPolicy) => void

/** What this process knows of every gateway, for questions that cannot wait for the database. */
export class Registry {
  readonly #keys: CloudKeys
  readonly #known = new Map<GatewayId, Known>()
  readonly #byOrg = new Map<string, Set<GatewayId>>()
  readonly #presence = new Map<string, Set<GatewayId>>()
  readonly #listeners = new Set<Listener>()

  constructor(keys: CloudKeys) {
    this.#keys = keys
  }

  gateway(id: GatewayId): RegisteredGateway | undefined {
    return this.#known.get(id)?.gateway
  }

  gateways(): readonly RegisteredGateway[] {
    return [...this.#known.values()].map(({ gateway }) => gateway)
  }

  gatewaysOf(org: string): readonly GatewayId[] {
    return [...(this.#byOrg.get(org) ?? [])].sort()
  }

  presenceOf(org: string): ReadonlySet<GatewayId> {
    return this.#presence.get(org) ?? new Set()
  }

  policyOf(id: GatewayId): PolicySnapshot | undefined {
    return this.#known.get(id)?.snapshot
  }

  /**
   * A version that is new here, whoever made it, is told to those who listen. The cut of a transfer makes none: the gateway
   * has it already, and from then on the cloud decides by it too.
   */
  note({ gateway, content, present, row }: Looked): void {
    const id = gateway.id as GatewayId
    const known = this.#known.get(id)
    const text = JSON.stringify(present)
    const isTold = known?.snapshot.version === row.version
    if (isTold && known.present === text) return
    this.forget(id)
    const registered = { id, org: gateway.org as OrgId, publicKey: gateway.public_key }
    const organisations = new Set([...content.organisations, ...present.organisations].map((org) => org.id))
    this.#known.set(id, {
      gateway: registered,
      snapshot: snapshotOf(row, present),
      present: text,
      organisations,
    })
    for (const org of organisations) into(this.#byOrg, org, id)
    for (const { org } of [content.owner, ...content.devices]) this.notePresence(org, id)
    if (!isTold) for (const listener of this.#listeners) listener(id, sealedIn(this.#keys, row))
  }

  notePresence(org: string, id: GatewayId): void {
    into(this.#presence, org, id)
  }

  forget(id: GatewayId): void {
    for (const org of this.#known.get(id)?.organisations ?? []) this.#byOrg.get(org)?.delete(id)
    this.#known.delete(id)
  }

  onSealed(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

function into(sets: Map<string, Set<GatewayId>>, key: string, id: GatewayId): void {
  const set = sets.get(key) ?? new Set()
  sets.set(key, set.add(id))
}
