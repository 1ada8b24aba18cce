import { z } from 'zod'
import { type BrokerLimits, contradictions, limitsWith } from '../../broker/index.ts'
import { byteSize, duration, wholeNumber } from './quantity.ts'

/** As a limit is called where it is written with its unit: without the `Ms` of its number. */
export type LimitName = WithoutMs<keyof BrokerLimits>
type WithoutMs<K> = K extends `${infer Name}Ms` ? Name : K

const count = (least: number, most: number) => wholeNumber(least, most).optional()
const size = (least: string, most: string) => byteSize({ least, most }).optional()
const time = (least: string, most: string) => duration({ least, most }).optional()

/** What each limit may be. docs/configuration.md has a row for each; the defaults are the broker's. */
const LIMITS = {
  connections: count(1, 100_000),
  connectionsPerAddress: count(1, 100_000),
  connectionsPerPrincipal: count(1, 100_000),
  strangers: count(1, 100_000),
  connectTimeout: time('100ms', '10m'),
  connectBytes: size('1KiB', '1MiB'),
  packetBytes: size('1KiB', '256MiB'),
  bytesPerSecond: size('1KiB', '10GiB'),
  packetsPerSecond: count(1, 10_000_000),
  inflightIn: count(1, 65_535),
  unreleased: count(1, 65_535),
  inflightInBytes: size('1KiB', '1GiB'),
  storeWait: time('1s', '1h'),
  // One message identifier is left for whatever comes next.
  inflightOut: count(1, 65_534),
  queuedMessages: count(1, 10_000_000),
  queuedBytes: size('1KiB', '1GiB'),
  backlogBytes: size('1KiB', '1GiB'),
  slow: time('1s', '1h'),
  backlogTotalBytes: size('1KiB', '16GiB'),
  subscriptions: count(1, 100_000),
  absentSessions: count(0, 1_000_000),
  sessions: count(0, 1_000_000),
  offlineMessages: count(1, 10_000_000),
  offlineBytes: size('1KiB', '16GiB'),
  offlineTotalBytes: size('1KiB', '1000GiB'),
  offlineAge: time('1m', '3650d'),
  retainedTopics: count(1, 10_000_000),
  retainedBytes: size('1KiB', '16GiB'),
  topicLength: count(16, 65_535),
  topicLevels: count(4, 1_000),
  clientIdLength: count(23, 65_535),
  memoryBytes: size('64MiB', '64GiB'),
} satisfies Record<LimitName, z.ZodType>

/** `broker.limits`: all that are given, and the defaults of the others. */
export const brokerLimits = z
  .strictObject(LIMITS)
  .transform((written, context): BrokerLimits => {
    const limits = limitsWith(numbersOf(written))
    for (const [low, high] of contradictions(limits)) {
      const [at, other] = [nameOf(low), nameOf(high)]
      const isWritten = written[at] !== undefined
      context.addIssue({
        code: 'custom',
        path: [isWritten ? at : other],
        message: isWritten
          ? `must not be above ${other}, which is ${limits[high]}`
          : `must not be below ${at}, which is ${limits[low]}`,
      })
    }
    return limits
  })
  .prefault({})

/** Names of all limits, as they are written. */
export const LIMIT_NAMES = Object.keys(LIMITS) as readonly LimitName[]

/** A limit of time is a number of ms in the broker. */
const numbersOf = (
  written: Readonly<Partial<Record<LimitName, number | undefined>>>,
): Partial<BrokerLimits> =>
  Object.fromEntries(
    LIMIT_NAMES.filter((name) => written[name] !== undefined).map((name) => [keyOf(name), written[name]]),
  )

const TIMES: ReadonlySet<LimitName> = new Set(['connectTimeout', 'storeWait', 'slow', 'offlineAge'])
const keyOf = (name: LimitName): string => (TIMES.has(name) ? `${name}Ms` : name)
const nameOf = (key: keyof BrokerLimits): LimitName => key.replace(/Ms$/, '') as LimitName
