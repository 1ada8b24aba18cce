import type { DeviceId, GatewayId, OrgId, PolicySnapshot } from '../../contract/index.ts'
import { type CompiledPolicy, compilePolicy, decide, type Question } from '../../access/index.ts'
import type { Policies } from '../policies/index.ts'
import type { ReadingChannel } from '../storage/index.ts'
import type { OrgDirectory } from '../directory/index.ts'
import { type Caller, mayOwn } from './caller.ts'

/** What a caller may see, decided by the same function and the same policy as on the gateways. */
export interface Sight {
  /** Owners whose readings are worth looking for: the own organisation and those that show it something. */
  readonly owners: readonly OrgId[]
  mayRead(channel: ReadingChannel): boolean
  /** How a gateway is, and what it has heard and sent. */
  mayKnowOf(gateway: GatewayId): boolean
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

interface Known {
  readonly policies: Policies
  readonly directory: Pick<OrgDirectory, 'gate'>
  /** The cloud's clock, epoch ms. */
  readonly at: number
}

export async function sightOf({ policies: known, directory, at }: Known, caller: Caller): Promise<Sight> {
  const { org } = caller.principal
  const policies = new Map<GatewayId, Policy>()
  for (const id of known.gatewaysOf(org)) {
    const snapshot = known.policyOf(id)
    if (snapshot !== undefined) policies.set(id, { snapshot, compiled: compiledOf(snapshot), at })
  }
  const readsWhatWas = await mayOwn(directory, caller, 'data.read')
  const owners = new Set<OrgId>([org])
  for (const { snapshot } of policies.values()) for (const device of snapshot.devices) owners.add(device.org)
  return {
    owners: [...owners],
    mayRead(channel) {
      // A gateway that the owner has nothing on speaks for itself only (reliability.md, T22).
      if (!known.presenceOf(channel.def.org).has(channel.gateway)) return false
      const policy = policies.get(channel.gateway)
      const { device, sensor } = channel.def
      // What was taken while the organisation owned the device stays its own, whoever owns it now: there is nothing left
      // to ask on but the organisation. A share shows what its owner owns: never what an owner before took.
      if (policy === undefined || ownerOf(policy, device) !== channel.def.org)
        return channel.def.org === org && readsWhatWas
      return may(policy, caller, { action: 'data.read', resource: { kind: 'sensor', device, sensor } })
    },
    mayKnowOf(gateway) {
      const policy = policies.get(gateway)
      return (
        policy !== undefined &&
        may(policy, caller, { action: 'gateway.status', resource: { kind: 'gateway' } })
      )
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
