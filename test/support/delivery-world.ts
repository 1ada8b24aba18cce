import { createHash } from 'node:crypto'
import { LocalPolicy, type LocalPrincipal } from '../../agent/policy/local-policy.ts'
import type { BrokerPolicy } from '../../broker/index.ts'
import { type CompiledPolicy, compilePolicy, decide, type When } from '../../cloud-sync/access/index.ts'
import {
  DeviceId,
  GatewayId,
  localTopic,
  MemberName,
  OrgId,
  PolicySnapshotV1,
  raisedPolicy,
  SensorName,
} from '../../cloud-sync/contract/index.ts'

const GATEWAY = GatewayId.parse('GW-1')
export const ORGS = ['acme', 'guest', 'third'].map((id) => OrgId.parse(id))
export const MEMBERS = ['ana', 'ben'].map((name) => MemberName.parse(name))
export const DEVICES = ['d0', 'd1', 'd2', 'd3'].map((id) => DeviceId.parse(id))
const SENSORS = ['main', 'aux'].map((name) => SensorName.parse(name))
const HOST = OrgId.parse('acme')
const WHEN: Extract<When, { place: 'gateway' }> = { place: 'gateway', at: 1, signed: true }

export interface Login {
  readonly org: OrgId
  readonly name: MemberName
}

/** Every topic that is published, with what is asked before it is shown. */
export const TOPICS = [
  ...DEVICES.flatMap((device) =>
    SENSORS.map((sensor) => ({
      topic: localTopic({ what: 'readings', gateway: GATEWAY, device, sensor }),
      action: 'data.read' as const,
      resource: { kind: 'sensor', device, sensor } as const,
    })),
  ),
  ...DEVICES.map((device) => ({
    topic: localTopic({ what: 'device-status', gateway: GATEWAY, device }),
    action: 'device.status' as const,
    resource: { kind: 'device', device } as const,
  })),
  {
    topic: localTopic({ what: 'gateway-status', gateway: GATEWAY }),
    action: 'gateway.status' as const,
    resource: { kind: 'gateway' } as const,
  },
]
export type Shown = (typeof TOPICS)[number]

/** Organisations, members, devices and shares that change at random, and the policy that follows them. */
export class DeliveryWorld {
  readonly policy: BrokerPolicy<LocalPrincipal>
  readonly #real = new LocalPolicy({ gateway: GATEWAY, anonymous: 'none', when: () => WHEN })
  readonly #random: () => number
  #snapshot: PolicySnapshotV1
  #compiled: CompiledPolicy
  #shares = 0

  /** `open`: the broken policy that shows everything to whoever is connected, to prove that leaks are found. */
  constructor(random: () => number, flaw: 'none' | 'open') {
    this.#random = random
    this.#snapshot = PolicySnapshotV1.parse({
      v: 1,
      gateway: GATEWAY,
      version: 1,
      issuedAt: 0,
      gatewayOrg: HOST,
      organisations: ORGS.map((id) => ({ id, name: id })),
      members: ORGS.flatMap((org) => MEMBERS.map((name) => ({ org, name, role: 'admin', incarnation: 1 }))),
      keys: ORGS.flatMap((org) =>
        MEMBERS.map((member) => ({ org, name: member, member, hash: hashOf(keyOf({ org, name: member })) })),
      ),
      devices: DEVICES.map((id, at) => ({
        id,
        org: ORGS[at % ORGS.length],
        ownerEpoch: 1,
        custodian: null,
        workspace: null,
      })),
      shares: [],
      critical: [],
    })
    this.#compiled = this.#apply()
    const real = this.#real
    this.policy = {
      connect: (credentials) => real.connect(credentials),
      principal: (id) => real.principal(id),
      mayPublish: (principal, question) => real.mayPublish(principal, question),
      maySubscribe: (principal, filter) => real.maySubscribe(principal, filter),
      mayReceive: (principal, topic) => flaw === 'open' || real.mayReceive(principal, topic),
    }
  }

  /** What `decide` says now, asked without any of the policy's own parsing and remembering. */
  shows(who: Login, { action, resource }: Shown): boolean {
    return decide({ principal: who, action, resource, when: WHEN }, this.#compiled).allowed
  }

  mayLogIn({ org, name }: Login): boolean {
    return this.#snapshot.members.some((member) => member.org === org && member.name === name)
  }

  isGone(principal: LocalPrincipal): boolean {
    return this.#real.isGone(principal)
  }

  /** One change that a cloud could send. */
  change(): void {
    const { members, shares, devices } = this.#snapshot
    const changes: (() => Partial<PolicySnapshotV1>)[] = [
      () => ({ shares: [...shares.slice(-12), this.#newShare()] }),
      () => ({ shares: shares.filter(() => this.#random() < 0.5) }),
      () => ({ devices: devices.map((d) => (this.#random() < 0.3 ? { ...d, org: this.#pick(ORGS) } : d)) }),
      () => ({ members: members.map((m) => (this.#random() < 0.3 ? { ...m, role: this.#pick(ROLES) } : m)) }),
      () => (this.#random() < 0.5 ? this.#leave() : this.#comeBack()),
    ]
    this.#snapshot = PolicySnapshotV1.parse({
      ...this.#snapshot,
      ...this.#pick(changes)(),
      version: this.#snapshot.version + 1,
    })
    this.#compiled = this.#apply()
  }

  #apply(): CompiledPolicy {
    const raised = raisedPolicy(this.#snapshot)
    this.#real.apply(raised)
    return compilePolicy(raised)
  }

  #newShare(): PolicySnapshotV1['shares'][number] {
    this.#shares += 1
    return {
      id: `s${this.#shares}`,
      device: this.#pick(DEVICES),
      sensor: this.#random() < 0.5 ? this.#pick(SENSORS) : null,
      to: { org: this.#pick(ORGS), member: this.#random() < 0.3 ? this.#pick(MEMBERS) : null },
      level: 'viewer',
    }
  }

  #leave(): Partial<PolicySnapshotV1> {
    const gone = this.#pick(this.#snapshot.members)
    return { members: this.#snapshot.members.filter((member) => member !== gone) }
  }

  #comeBack(): Partial<PolicySnapshotV1> {
    const { members } = this.#snapshot
    const all = ORGS.flatMap((org) => MEMBERS.map((name) => ({ org, name })))
    const missing = all.filter(({ org, name }) => !members.some((m) => m.org === org && m.name === name))
    const back = missing.map((who) => ({
      ...who,
      role: 'admin' as const,
      incarnation: this.#snapshot.version,
    }))
    return { members: [...members, ...back] }
  }

  #pick<T>(of: readonly T[]): T {
    return of[Math.floor(this.#random() * of.length)] as T
  }
}

const ROLES = ['owner', 'admin', 'member'] as const

export const keyOf = ({ org, name }: Login): string => `key of ${org}:${name}`
const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex')

/** A seeded generator of numbers from 0 to 1 (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
