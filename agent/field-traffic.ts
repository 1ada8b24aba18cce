import type { TrafficPacket } from '../broker/index.ts'
import { type DeviceId, deviceSubject, parseLocalTopic } from '../cloud-sync/contract/index.ts'
import type { Increment } from './metering/index.ts'
import { type OwnerRules, Owners } from './owners.ts'
import type { Store } from './storage/index.ts'

/** Topics that were read and are remembered: as many as the devices of a gateway have, and some to spare. */
const TOPICS_REMEMBERED_MAX = 4_096

interface Bytes {
  in: bigint
  out: bigint
}

/** Counts into the store's registers from now on, under the owners that each policy names. */
export function meterFieldDevices(rules: OwnerRules, store: Store): FieldTraffic {
  const owners = new Owners(rules, store.policy.current())
  store.policy.onApplied((snapshot) => {
    owners.replace(snapshot)
  })
  const traffic = new FieldTraffic(owners)
  store.addMeter(() => traffic.take())
  return traffic
}

/** What field devices that speak MQTT themselves publish to their `in`, and the commands they get, in bytes. */
export class FieldTraffic {
  readonly #owners: Pick<Owners, 'of'>
  readonly #devices = new Map<string, DeviceId | null>()
  #bytes = new Map<DeviceId, Bytes>()

  constructor(owners: Pick<Owners, 'of'>) {
    this.#owners = owners
  }

  count({ topic, bytes, direction }: TrafficPacket): void {
    const device = this.#deviceOf(`${direction} ${topic}`)
    if (device === null) return
    let sum = this.#bytes.get(device)
    if (sum === undefined) this.#bytes.set(device, (sum = { in: 0n, out: 0n }))
    sum[direction] += BigInt(bytes)
  }

  /** What was counted since this was asked last; whoever asks keeps it. */
  take(): Increment[] {
    const counted = this.#bytes
    if (counted.size === 0) return []
    this.#bytes = new Map()
    return [...counted].flatMap(([device, sum]): Increment[] => {
      const whose = { subject: deviceSubject(device), owner: this.#owners.of(device) }
      return [
        { ...whose, meter: 'mqtt.bytes_in', by: sum.in },
        { ...whose, meter: 'mqtt.bytes_out', by: sum.out },
      ]
    })
  }

  #deviceOf(directed: string): DeviceId | null {
    let device = this.#devices.get(directed)
    if (device === undefined) {
      if (this.#devices.size >= TOPICS_REMEMBERED_MAX) this.#devices.clear()
      this.#devices.set(directed, (device = fieldDevice(directed)))
    }
    return device
  }
}

/** The field device at whose end of the connection such a message begins or ends; null for programs on the site. */
function fieldDevice(directed: string): DeviceId | null {
  const [direction = ''] = directed.split(' ', 1)
  const topic = parseLocalTopic(directed.slice(direction.length + 1))
  if (topic === undefined) return null
  if (direction === 'in') return topic.what === 'in' ? topic.device : null
  return topic.what === 'command' ? topic.device : null
}
