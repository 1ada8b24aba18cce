import type {
  BrokerPolicy,
  ClientCertificate,
  ConnectAnswer,
  Credentials,
  Principal as BrokerPrincipal,
  PublishQuestion,
} from '../../broker/index.ts'
import type { Principal, When } from '../../cloud-sync/access/index.ts'
import { sha256 } from '../../cloud-sync/codec/index.ts'
import {
  type GatewayId,
  type Hash,
  type LocalTopic,
  type OrgId,
  type PolicySnapshot,
  parseLocalTopic,
  type Resource,
  type Right,
} from '../../cloud-sync/contract/index.ts'
import type { Configured } from './device-owner.ts'
import { PolicyInForce } from './in-force.ts'

/** Who stands behind a connection to the gateway's own broker. */
export type LocalPrincipal = Member | Anonymous

/** A program that logged in with an API key or a client certificate. The id holds the membership's incarnation: who comes back is another. */
interface Member extends BrokerPrincipal {
  readonly kind: 'member'
  readonly username: string
  /** null = known by a client certificate. */
  readonly keyHash: Hash | null
  readonly who: Principal
}

interface Anonymous extends BrokerPrincipal {
  readonly kind: 'anonymous'
}

const ANONYMOUS: Anonymous = { id: 'anonymous', kind: 'anonymous' }

export interface LocalPolicyOptions {
  readonly gateway: GatewayId
  readonly anonymous: 'none' | 'read'
  /** Policy time now. */
  readonly when: () => Extract<When, { place: 'gateway' }>
  /** Devices that are the owner's where no policy names them. Absent = none. */
  readonly configured?: readonly Configured[]
  /** The workspace of the device is over its limit: what the device publishes is refused. Absent = none ever is. */
  readonly isOverQuota?: (device: string) => boolean
  /** Something is let through to somebody by a share alone that was made here and is not the cloud's yet. */
  readonly onDisclosed?: (change: number, to: { readonly principal: string; readonly what: string }) => void
}

/**
 * The gateway's answers to its own broker, from the last snapshot alone and with no network. No snapshot = nobody
 * gets anything. Every delivery asks `decide`, which remembers its answers as long as they hold.
 */
export class LocalPolicy implements BrokerPolicy<LocalPrincipal> {
  /** What every other door of the gateway asks too. */
  readonly inForce: PolicyInForce
  readonly #options: LocalPolicyOptions
  /** Published topics as they were read. */
  #topics = new Map<string, LocalTopic | undefined>()
  /** Shares made here that the cloud may still take back, with the number of the change that made each. */
  #provisional: ReadonlyMap<string, number> = new Map()

  constructor(options: LocalPolicyOptions) {
    this.#options = options
    this.inForce = new PolicyInForce(options.when, options.configured)
  }

  /** Puts a snapshot in force at once. Then close the sessions of those who are `isGone`. */
  apply(snapshot: PolicySnapshot | undefined, provisional: ReadonlyMap<string, number> = new Map()): void {
    this.inForce.apply(snapshot)
    this.#provisional = provisional
    this.#topics = new Map()
  }

  /** What another snapshot would say, or said, with the devices that are configured now. */
  asOf(snapshot: PolicySnapshot): PolicyInForce {
    const other = new PolicyInForce(this.#options.when, this.#options.configured)
    other.apply(snapshot)
    return other
  }

  /** True for a principal that could not log in any more with what it logged in with, for `closeSessions`. */
  readonly isGone = (principal: LocalPrincipal): boolean => {
    if (this.inForce.snapshot === undefined) return true
    if (principal.kind === 'anonymous') return this.#options.anonymous === 'none'
    return this.#member(principal.username, principal.keyHash)?.id !== principal.id
  }

  /** Whose this topic is: the owner of its device, else the gateway's. Undefined while there is no snapshot. */
  ownerOf(topic: string): OrgId | undefined {
    const parsed = this.#parse(topic)
    const device = parsed !== undefined && 'device' in parsed ? parsed.device : undefined
    return (
      this.inForce.snapshot?.devices.find(({ id }) => id === device)?.org ?? this.inForce.snapshot?.owner.org
    )
  }

  connect(credentials: Credentials): Promise<ConnectAnswer<LocalPrincipal>> {
    const { username, password, certificate } = credentials
    // A password is the stronger wish: a listener may ask for certificates only to know machines.
    const known = certificate !== null && password === null
    return Promise.resolve(
      known ? this.#logInByCertificate(username, certificate) : this.#logIn(username, password),
    )
  }

  principal(id: string): LocalPrincipal | undefined {
    if (id === ANONYMOUS.id) return this.#options.anonymous === 'none' ? undefined : ANONYMOUS
    for (const { org, name, hash } of this.inForce.snapshot?.keys ?? []) {
      const member = this.#member(`${org}:${name}`, hash)
      if (member?.id === id) return member
    }
    return undefined
  }

  mayPublish(principal: LocalPrincipal, { topic, retain }: PublishQuestion): 'allow' | 'quarantine' {
    const parsed = this.#parse(topic)
    if (parsed === undefined || principal.kind === 'anonymous') return 'quarantine'
    // A retained command would be carried out again by whoever subscribes later.
    const allowed =
      parsed.what === 'in' || (parsed.what === 'command' && !retain)
        ? this.#decide(principal, 'device.operate', { kind: 'device', device: parsed.device })
        : false
    // Refused like anything else that may not be: acknowledged, counted, billed to nobody. Commands are never held.
    const isOver = parsed.what === 'in' && this.#options.isOverQuota?.(parsed.device) === true
    return allowed && !isOver ? 'allow' : 'quarantine'
  }

  /** Wildcards are welcome where they can meet this gateway's topics: each delivery is asked anyway. */
  maySubscribe(principal: LocalPrincipal, filter: string): boolean {
    if (this.isGone(principal)) return false
    if (!/[+#]/.test(filter)) return this.#mayReceive(principal, this.#parse(filter))
    const [root = '', gateway = '#'] = filter.split('/')
    if (root === '#') return true
    return ['headgate', '+'].includes(root) && [this.#options.gateway, '+', '#'].includes(gateway)
  }

  mayReceive(principal: LocalPrincipal, topic: string): boolean {
    // Only topics that were published come here, so what is remembered is bounded by what there is.
    if (!this.#topics.has(topic)) this.#topics.set(topic, this.#parse(topic))
    const allowed = this.#mayReceive(principal, this.#topics.get(topic))
    if (allowed && this.#provisional.size > 0) this.#noteDisclosure(principal, topic)
    return allowed
  }

  #logIn(username: string | null, password: Uint8Array | null): ConnectAnswer<LocalPrincipal> {
    if (this.inForce.snapshot === undefined) return { allowed: false, because: 'unavailable' }
    if (username === null) {
      if (this.#options.anonymous === 'read') return { allowed: true, principal: ANONYMOUS }
      return { allowed: false, because: 'not-authorised' }
    }
    const principal = this.#member(username, sha256(password ?? new Uint8Array()))
    if (principal === undefined) return { allowed: false, because: 'bad-credentials' }
    return { allowed: true, principal }
  }

  /** A certificate whose CN is `organisation:name` stands for the API key of that name, without the key. */
  #logInByCertificate(
    username: string | null,
    { commonName }: ClientCertificate,
  ): ConnectAnswer<LocalPrincipal> {
    if (this.inForce.snapshot === undefined) return { allowed: false, because: 'unavailable' }
    const isOwn = commonName !== null && (username ?? commonName) === commonName
    const principal = isOwn ? this.#member(commonName, null) : undefined
    if (principal === undefined) return { allowed: false, because: 'bad-credentials' }
    return { allowed: true, principal }
  }

  #member(asked: string, keyHash: Hash | null): Member | undefined {
    const login = this.inForce.logIn(asked, keyHash)
    if (login === undefined) return undefined
    const { name, incarnation } = login.author
    // As the policy names them, not as they did: a partner's people have no names here.
    const username = `${login.principal.org}:${login.principal.name}`
    const id = `${username}/${name}/${incarnation}`
    return { id, kind: 'member', username, keyHash, who: login.principal }
  }

  #parse(topic: string): LocalTopic | undefined {
    const parsed = parseLocalTopic(topic)
    return parsed?.gateway === this.#options.gateway ? parsed : undefined
  }

  #mayReceive(principal: LocalPrincipal, topic: LocalTopic | undefined): boolean {
    if (topic === undefined) return false
    if (principal.kind === 'anonymous') return this.#mayReceiveAnonymously(topic)
    switch (topic.what) {
      case 'gateway-status':
        return this.#decide(principal, 'gateway.status', { kind: 'gateway' })
      case 'device-status':
        return this.#decide(principal, 'device.status', { kind: 'device', device: topic.device })
      case 'readings':
        return this.#decide(principal, 'data.read', {
          kind: 'sensor',
          device: topic.device,
          sensor: topic.sensor,
        })
      case 'in':
        return this.#decide(principal, 'data.read', { kind: 'device', device: topic.device })
      case 'command':
      case 'command-result':
        return this.#decide(principal, 'device.operate', { kind: 'device', device: topic.device })
    }
  }

  /** Readings of the gateway's own organisation, nothing else: no status, no guest's device. */
  #mayReceiveAnonymously(topic: LocalTopic): boolean {
    const snapshot = this.inForce.snapshot
    if (snapshot === undefined || this.#options.anonymous === 'none' || topic.what !== 'readings')
      return false
    const owners = snapshot.devices.filter(({ id }) => id === topic.device)
    return owners.length > 0 && owners.every(({ org }) => org === snapshot.owner.org)
  }

  /** Nothing is disclosed that they would have been told by any other way. */
  #noteDisclosure(principal: LocalPrincipal, topic: string): void {
    const parsed = this.#topics.get(topic)
    if (principal.kind === 'anonymous' || parsed === undefined || !('device' in parsed)) return
    const resource: Resource =
      parsed.what === 'readings'
        ? { kind: 'sensor', device: parsed.device, sensor: parsed.sensor }
        : { kind: 'device', device: parsed.device }
    const action = parsed.what === 'device-status' ? 'device.status' : 'data.read'
    const decision = this.inForce.decide({ principal: principal.who, action, resource })
    if (!decision.allowed) return
    const paths = decision.via.filter((path) => !path.startsWith('key:'))
    const changes = paths.map((path) => this.#provisional.get(path.slice(path.lastIndexOf('grant:') + 6)))
    const [change] = changes
    if (change === undefined || changes.includes(undefined)) return
    this.#options.onDisclosed?.(change, { principal: principal.username, what: topic })
  }

  #decide({ who: principal }: Member, action: Right, resource: Resource): boolean {
    return this.inForce.decide({ principal, action, resource }).allowed
  }
}
