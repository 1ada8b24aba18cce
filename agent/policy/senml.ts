import type { LocalMessage } from '../../broker/index.ts'
import { DeviceId, type GatewayId, localTopic, SensorName } from '../../cloud-sync/contract/index.ts'
import { type Reading, senmlUnit } from '../../hardware/index.ts'

/**
 * One SenML record (RFC 8428, section 4). `q` and `why` are ours; a reader that does not know them may ignore them
 * (section 4.4). A record must have a value, so a reading without one has the empty text.
 */
interface SenmlRecord {
  readonly n: string
  readonly u?: string
  readonly v?: number
  readonly vs?: string
  /** Seconds since 1970. */
  readonly t: number
  readonly q: Reading['quality']
  readonly why?: string
}

/** What a record is made of: a reading of the hardware, or a stored one with its channel's definition. */
export type PackedReading = Pick<
  Reading,
  'device' | 'sensor' | 'channel' | 'unit' | 'takenAt' | 'value' | 'quality'
> & { readonly reason: string | null }

/**
 * Makes the local messages of readings: one retained SenML pack for each sensor. Because only the last message is
 * retained, a channel that is not among the new readings comes along with its last value and that value's own time.
 */
export class SensorPacks {
  readonly #gateway: GatewayId
  readonly #last = new Map<string, Map<string, SenmlRecord>>()

  constructor(gateway: GatewayId) {
    this.#gateway = gateway
  }

  /** One message for each sensor that has a reading here, records in the order of their time. */
  messages(readings: readonly PackedReading[]): LocalMessage[] {
    const packs = new Map<string, SenmlRecord[]>()
    for (const reading of readings) {
      const topic = this.#topicOf(reading)
      const pack = packs.get(topic) ?? []
      pack.push(recordOf(reading))
      packs.set(topic, pack)
    }
    return [...packs].map(([topic, pack]) => this.#message(topic, pack))
  }

  /** The next messages of this device hold only what is new. */
  forget(device: string): void {
    const ofDevice = `headgate/${this.#gateway}/${device}/`
    for (const topic of this.#last.keys()) if (topic.startsWith(ofDevice)) this.#last.delete(topic)
  }

  #topicOf({ device, sensor }: PackedReading): string {
    return localTopic({
      what: 'readings',
      gateway: this.#gateway,
      device: DeviceId.parse(device),
      sensor: SensorName.parse(sensor),
    })
  }

  #message(topic: string, fresh: readonly SenmlRecord[]): LocalMessage {
    const last = this.#last.get(topic) ?? new Map<string, SenmlRecord>()
    this.#last.set(topic, last)
    const names = new Set(fresh.map(({ n }) => n))
    const kept = [...last.values()].filter(({ n }) => !names.has(n))
    const pack = [...kept, ...fresh].sort((a, b) => a.t - b.t)
    for (const record of pack) last.set(record.n, record)
    return retained(topic, pack)
  }
}

/** `headgate/{gw}/{device}/status`: the device's health as the poller sees it, e.g. `{state: 'lost', …}`. */
export const deviceStatus = (gateway: GatewayId, device: string, status: object): LocalMessage =>
  retained(localTopic({ what: 'device-status', gateway, device: DeviceId.parse(device) }), status)

/** `headgate/{gw}/status`: the gateway's health summary. */
export const gatewayStatus = (gateway: GatewayId, status: object): LocalMessage =>
  retained(localTopic({ what: 'gateway-status', gateway }), status)

function retained(topic: string, content: object): LocalMessage {
  return { topic, payload: Buffer.from(JSON.stringify(content)), qos: 1, retain: true }
}

function recordOf({ channel, value, unit, takenAt, quality, reason }: PackedReading): SenmlRecord {
  return {
    n: channel,
    ...(typeof value === 'number' || typeof value === 'bigint' ? { u: senmlUnit(unit) } : {}),
    ...valueOf(value),
    t: takenAt / 1_000,
    q: quality,
    ...(reason === null ? {} : { why: reason }),
  }
}

/** JSON has doubles only: an integer that one cannot hold is written as text, never rounded. */
function valueOf(value: Reading['value']): { v: number } | { vs: string } {
  if (typeof value === 'bigint') return { vs: value.toString() }
  if (typeof value === 'number' && Number.isFinite(value)) return { v: value }
  return { vs: value === null ? '' : String(value) }
}
