import type { DeviceId, GatewayId, OrgId, PolicySnapshot } from '../../contract/index.ts'
import { type CompiledPolicy, compilePolicy, decide, type Question } from '../../access/index.ts'
import type { Policies } from '../policies/index.ts'
import type { ReadingChannel } from '../storage/index.ts'
import { type Caller, leads } from './caller.ts'

/** What a caller may see, decided by the same function and the same policy as on the gateways. */
export interface Sight {
  /** Owners whose readings are worth looking for: the own organisation and those that show it something. */
  readonly owners: readonly OrgId[]
  mayRead(channel: ReadingChannel): boolean
  /** Devices of a gateway that the caller may know of. */
  devicesOf(gateway: GatewayId): PolicySnapshot['devices']
}

interface Policy {
  readonly snapshot: PolicySnapshot
  readonly compiled: CompiledPolicy
  /** The cloud's clock, epoch ms. */
  readonly at: number
}

/** Compiled once a policy: `policyOf` gives the same object until something changes. */
const compiled = new WeakMap<PolicySnapshot, CompiledPolicy>()

/** `at`: the cloud's clock, epoch ms. */
export function sightOf(known: Policies, caller: Caller, at: number): Sight {
  const { org } = caller.principal
  const policies = new Map<GatewayId, Policy>()
  for (const id of known.gatewaysOf(org)) {
    const snapshot = known.policyOf(id)
    if (snapshot !== undefined) policies.set(id, { snapshot, compiled: compiledOf(snapshot), at })
  }
  const owners = new Set<OrgId>([org])
  for (const { snapshot } of policies.values()) for (const device of snapshot.devices) owners.add(device.org)
  return {
    owners: [...owners],
    mayRead(channel) {
      // What was taken while the organisation owned the device stays its own, whoever owns it now.
      // A gateway that the owner has nothing on speaks for itself only (reliability.md, T22).
      if (!known.presenceOf(channel.def.org).has(channel.gateway)) return false
      if (channel.def.org === org && leads(caller)) return true
      const policy = policies.get(channel.gateway)
      const { device, sensor } = channel.def
      // A share shows what its owner owns: never what an owner before took.
      if (policy === undefined || ownerOf(policy, device) !== channel.def.org) return false
      return may(policy, caller, { action: 'data.read', resource: { kind: 'sensor', device, sensor } })
    },
    devicesOf(gateway) {
      const policy = policies.get(gateway)
      return policy?.snapshot.devices.filter(({ id }) => mayKnow(policy, caller, id)) ?? []
    },
  }
}

const ownerOf = ({ snapshot }: Policy, device: DeviceId): OrgId | undefined =>
  snapshot.devices.find(({ id }) => id === device)?.org

function mayKnow(policy: Policy, caller: Caller, device: DeviceId): boolean {
  if (may(policy, caller, { action: 'device.status', resource: { kind: 'device', device } })) return true
  return policy.snapshot.grants.some(
    ({ on }) =>
      on.kind === 'sensor' &&
      on.device === device &&
      may(policy, caller, { action: 'data.read', resource: on }),
  )
}

function may(
  { compiled: policy, at }: Policy,
  { principal }: Caller,
  question: Pick<Question, 'action' | 'resource'>,
): boolean {
  return decide({ ...question, principal, when: { place: 'cloud', at } }, policy).allowed
}

function compiledOf(snapshot: PolicySnapshot): CompiledPolicy {
  const known = compiled.get(snapshot) ?? compilePolicy(snapshot)
  compiled.set(snapshot, known)
  return known
}
