import type {
  DeviceId,
  ItemId,
  MemberName,
  OrgId,
  Ownership,
  PolicyFacts,
  Resource,
  SensorName,
  WorkspaceId,
} from '../contract/index.ts'
import { once } from './lists.ts'

/** Something that can be asked about: an organisation, a workspace, the gateway, a device, a sensor, an item. */
export interface Thing {
  /** Its place in the list of all, to remember answers by. */
  readonly at: number
  readonly kind: Resource['kind']
  readonly org: OrgId
  readonly ownerEpoch: number
  readonly state: Ownership['state']
  readonly custodian: { readonly name: MemberName; readonly incarnation: number } | null
  /** Itself and all that holds it, under the same owner: what is granted on these reaches it. */
  readonly chain: readonly Thing[]
}

interface DeviceThings {
  readonly thing: Thing
  readonly sensors: Map<SensorName, Thing>
  /** Of the first few of them, and what they name: to look through these takes less than to look one up. */
  readonly names: SensorName[]
  readonly named: Thing[]
  /** Stands for every sensor that nothing is said of. */
  readonly other: Thing
}

const FEW = 4

type Description = Omit<Thing, 'at' | 'chain'> & { readonly above: readonly (Thing | undefined)[] }

/** Everything that a policy knows, found by name. What is named twice is not known at all. */
export class Things {
  readonly #orgs = new Map<OrgId, Thing>()
  readonly #workspaces = new Map<WorkspaceId, Thing>()
  readonly #devices = new Map<DeviceId, DeviceThings>()
  readonly #items = new Map<ItemId, Thing>()
  readonly #gateway: Thing | undefined
  #count = 0

  constructor(facts: PolicyFacts) {
    const plain = { ownerEpoch: 1, state: 'active', custodian: null, above: [] } as const
    for (const { id } of once(facts.organisations, (o) => o.id)) {
      this.#orgs.set(id, this.#add({ ...plain, kind: 'org', org: id }))
    }
    for (const { id, org, ownerEpoch } of once(facts.workspaces, (w) => w.id)) {
      this.#workspaces.set(id, this.#add({ ...plain, kind: 'workspace', org, ownerEpoch }))
    }
    if (facts.owner !== null) this.#gateway = this.#owned('gateway', facts.owner, [])
    for (const device of once(facts.devices, (d) => d.id)) {
      const thing = this.#owned('device', device, [this.#gateway])
      const other = this.#add({ ...thing, kind: 'sensor', above: thing.chain })
      this.#devices.set(device.id, { thing, other, sensors: new Map(), names: [], named: [] })
    }
    for (const { device, sensor, ...owned } of once(facts.sensors, (s) => `${s.device}/${s.sensor}`)) {
      const under = this.#devices.get(device)
      under?.sensors.set(sensor, this.#owned('sensor', owned, under.thing.chain))
    }
    this.#nameGranted(facts)
    for (const item of once(facts.items, (i) => i.id)) {
      this.#items.set(item.id, this.#owned('item', item, []))
    }
    for (const { names, named, sensors } of this.#devices.values()) {
      names.push(...[...sensors.keys()].slice(0, FEW))
      named.push(...[...sensors.values()].slice(0, FEW))
    }
  }

  /** How many there are. */
  get count(): number {
    return this.#count
  }

  /** Undefined for what is not there; a device has any sensor that is asked for. */
  find(resource: Resource): Thing | undefined {
    switch (resource.kind) {
      case 'sensor': {
        const device = this.#devices.get(resource.device)
        return device === undefined ? undefined : (sensorOf(device, resource.sensor) ?? device.other)
      }
      case 'device':
        return this.#devices.get(resource.device)?.thing
      case 'gateway':
        return this.#gateway
      case 'workspace':
        return this.#workspaces.get(resource.workspace)
      case 'org':
        return this.#orgs.get(resource.org)
      case 'item':
        return this.#items.get(resource.item)
    }
  }

  /** All that belongs to an organisation, sensors that nothing is said of apart: they are as their device. */
  of(org: OrgId): Thing[] {
    const devices = [...this.#devices.values()].flatMap(({ thing, sensors }) => [thing, ...sensors.values()])
    const all = [
      this.#gateway,
      ...this.#orgs.values(),
      ...this.#workspaces.values(),
      ...devices,
      ...this.#items.values(),
    ]
    return all.filter((thing): thing is Thing => thing?.org === org)
  }

  /** A sensor with a grant of its own is one thing; all others of its device are another. */
  #nameGranted({ grants, devices }: PolicyFacts): void {
    const owned = new Map(devices.map((device) => [device.id, device]))
    for (const { on } of grants) {
      if (on.kind !== 'sensor') continue
      const [device, under] = [owned.get(on.device), this.#devices.get(on.device)]
      if (device === undefined || under === undefined || under.sensors.has(on.sensor)) continue
      under.sensors.set(on.sensor, this.#owned('sensor', device, under.thing.chain))
    }
  }

  #owned(kind: Thing['kind'], owned: Ownership, above: readonly (Thing | undefined)[]): Thing {
    const { org, ownerEpoch, state, custodian: name, custodianIncarnation: incarnation } = owned
    const workspace = owned.workspace === null ? undefined : this.#workspaces.get(owned.workspace)
    const custodian = name === null ? null : { name, incarnation }
    return this.#add({ kind, org, ownerEpoch, state, custodian, above: [...above, workspace] })
  }

  /** A guest's device hangs on the host's gateway, but nothing reaches it from there. */
  #add({ above, ...thing }: Description): Thing {
    const chain: Thing[] = []
    const added: Thing = { ...thing, at: this.#count, chain }
    this.#count += 1
    chain.push(added)
    for (const one of above) if (one?.org === thing.org && !chain.includes(one)) chain.push(one)
    return added
  }
}

function sensorOf({ names, named, sensors }: DeviceThings, name: SensorName): Thing | undefined {
  for (let at = 0; at < names.length; at += 1) if (names[at] === name) return named[at]
  return sensors.size > names.length ? sensors.get(name) : undefined
}
