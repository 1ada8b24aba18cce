import { z } from 'zod'
import type { GatewayEvent, StoredReading } from '../../contract/index.ts'
import type { DirectoryReader } from '../storage/index.ts'

/** A rule that was made or deleted counts after so long at the latest, ms. */
const RULES_READ_EVERY_MS = 5_000

/** Channels for which there is a threshold, so that all other readings cost nothing. */
export class WatchedChannels {
  readonly #read: DirectoryReader
  readonly #monoMs: () => number
  #readAt = -Infinity
  #channels: ReadonlySet<string> = new Set()

  constructor(read: DirectoryReader, monoMs: () => number) {
    this.#read = read
    this.#monoMs = monoMs
  }

  /** @param resource `GATEWAY/DEVICE` */
  async has(resource: string, channel: string): Promise<boolean> {
    if (this.#monoMs() - this.#readAt >= RULES_READ_EVERY_MS) {
      this.#readAt = this.#monoMs()
      const rules = await this.#read.find('alert_rule', { kind: 'threshold', state: 'active' })
      this.#channels = new Set(rules.map((rule) => `${rule.resource} ${rule.channel ?? ''}`))
    }
    return this.#channels.has(`${resource} ${channel}`)
  }
}

/** What a threshold must see of the readings of one channel: the extremes, and last the newest. */
export function telling(readings: readonly StoredReading[]): number[] {
  const values = readings
    .filter(({ quality }) => quality !== 'bad')
    .toSorted((a, b) => a.takenAt - b.takenAt)
    .flatMap(({ value }) => (typeof value === 'number' || typeof value === 'bigint' ? [Number(value)] : []))
  const newest = values.at(-1)
  if (newest === undefined) return []
  let [least, most] = [newest, newest]
  for (const value of values) {
    least = Math.min(least, value)
    most = Math.max(most, value)
  }
  return [...new Set([least, most, newest])].sort((a, b) => Number(a === newest) - Number(b === newest))
}

/** What a gateway says of an alarm whose reading waits. */
const HeldAlarm = z.object({
  org: z.string(),
  ownerEpoch: z.number(),
  device: z.string(),
  channel: z.string(),
  value: z.number(),
})
export type HeldAlarm = z.infer<typeof HeldAlarm>

/** Nothing where the event tells of something else. */
export function heldAlarmIn({ kind, detail }: GatewayEvent): HeldAlarm[] {
  const alarm = kind === 'alarm_held' ? HeldAlarm.safeParse(detail) : undefined
  return alarm?.success === true ? [alarm.data] : []
}
