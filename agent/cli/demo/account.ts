import { askReadings } from '../../local-api/client.ts'
import type { ReadingFacts } from '../../local-api/state.ts'
import { chainVerifies, type CloudReading, cloudReadings, postedSum } from './cloud-facts.ts'
import { type Found, type Reckoning, reckon } from './reckoning.ts'
import type { Rig } from './rig.ts'

/** Channel in which every demo device returns the number of reads it has answered. */
export const COUNTER_CHANNEL = 'answers'

/** What became of every reading, counted at each place. */
export interface Account extends Reckoning {
  /** Direct readings with a usable value in the gateway's store. */
  readonly stored: number
  /** The same in the cloud. */
  readonly cloud: number
  /** Posted registers of `sensor.readings`. */
  readonly billed: number
  /** Usable readings, derived ones too, in the store that are not in the cloud exactly once, or the other way round. */
  readonly mismatched: number
  readonly chainVerifies: boolean
}

const usable = (reading: { value: unknown; quality: string }): boolean =>
  reading.value !== null && reading.quality !== 'bad'
const counters = (readings: readonly (ReadingFacts | CloudReading)[]): Found[] =>
  readings
    .filter((reading) => reading.channel === COUNTER_CHANNEL && usable(reading))
    .map((reading) => ({ device: reading.device, counter: Number(reading.value) }))

/** Asks the devices' logs, the gateway and the cloud, and compares. The gateway must be running. */
export async function account(rig: Rig): Promise<Account> {
  const gateway = rig.layout.gateway
  const cloud = await cloudReadings(rig.cloud(), gateway)
  const stored: ReadingFacts[] = []
  for await (const reading of askReadings(rig.gatewayDir, {})) stored.push(reading)
  const direct = new Set(stored.filter((one) => !one.derived).map((one) => `${one.device}/${one.channel}`))
  const isDirect = (one: { device: string; channel: string }): boolean =>
    direct.has(`${one.device}/${one.channel}`)
  const answered = rig.field.answered()
  // Without a log of the devices only store, cloud and bill can be compared with each other.
  const [inStore, inCloud] = answered === null ? [[], []] : [counters(stored), counters(cloud)]
  const reckoning = reckon({
    answered: answered ?? [],
    stored: inStore,
    cloud: inCloud,
    outages: rig.outages,
  })
  return {
    ...reckoning,
    stored: stored.filter((one) => isDirect(one) && usable(one)).length,
    cloud: cloud.filter((one) => isDirect(one) && usable(one)).length,
    billed: await postedSum(rig.cloud(), gateway, 'sensor.readings'),
    mismatched: mismatches(stored.filter(usable), cloud.filter(usable)),
    chainVerifies: await chainVerifies(rig.cloud(), gateway),
  }
}

/** How many readings differ between the two, as multisets of device, channel, time and value. */
export function mismatches(
  stored: readonly (ReadingFacts | CloudReading)[],
  cloud: readonly CloudReading[],
): number {
  const balance = new Map<string, number>()
  const count = (reading: ReadingFacts | CloudReading, by: number): void => {
    const key = `${reading.device}/${reading.channel}@${reading.takenAt}=${String(reading.value)}`
    balance.set(key, (balance.get(key) ?? 0) + by)
  }
  for (const reading of stored) count(reading, 1)
  for (const reading of cloud) count(reading, -1)
  return [...balance.values()].reduce((sum, difference) => sum + Math.abs(difference), 0)
}

/** True where nothing is on its way any more. */
export const settled = (one: Account): boolean =>
  one.lost === 0 && one.mismatched === 0 && one.stored === one.cloud && one.billed === one.stored
