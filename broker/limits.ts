/** Every bound of a broker. All are per broker unless they say otherwise; each has a metric and, where met, a log line. */
export interface BrokerLimits {
  /** Connections at one time, all listeners together. */
  readonly connections: number
  /** Connections from one address that have not logged in, or that have. A Unix socket has no address. */
  readonly connectionsPerAddress: number
  readonly connectionsPerPrincipal: number
  /** Connections that have not logged in; beyond it the oldest of them is closed, so that a flood keeps nobody out. */
  readonly strangers: number
  /** A connection that has not sent its CONNECT by then is closed, ms. */
  readonly connectTimeoutMs: number
  /** Largest CONNECT, bytes after its fixed header: everything before the login is a stranger's. */
  readonly connectBytes: number
  /** Largest other packet, bytes after its fixed header. */
  readonly packetBytes: number
  /** What one connection may send a second, bytes; beyond it its reading pauses. */
  readonly bytesPerSecond: number
  /** What one connection may send a second, packets; beyond it its reading pauses. */
  readonly packetsPerSecond: number
  /** Published messages of one connection that wait for the disk; beyond it its reading pauses. */
  readonly inflightIn: number
  /** QoS 2 messages of one connection that were received and not released; beyond it, it is closed. */
  readonly unreleased: number
  /** Bytes of published messages that wait for the disk, all connections; beyond it their reading pauses. */
  readonly inflightInBytes: number
  /** A publisher that has waited so long for a full disk is closed, ms. */
  readonly storeWaitMs: number
  /** Messages of one connection that wait for its acknowledgement. */
  readonly inflightOut: number
  /** QoS 1 and 2 messages that wait behind the window of a connection without a stored session; beyond it, it is closed. */
  readonly queuedMessages: number
  /** The same in bytes. */
  readonly queuedBytes: number
  /** Bytes on their way to one connection beyond which its QoS 0 messages are dropped. */
  readonly backlogBytes: number
  /** A connection that has been beyond that for so long is closed, ms. */
  readonly slowMs: number
  /** Bytes on their way to all connections; beyond it the one furthest behind is closed. */
  readonly backlogTotalBytes: number
  /** Filters of one client. */
  readonly subscriptions: number
  /** Stored sessions of one principal without a connection; beyond it the longest gone is forgotten. */
  readonly absentSessions: number
  /** Stored sessions in all, connected or not. */
  readonly sessions: number
  /** Messages that wait in one stored session; beyond it the oldest go, counted. */
  readonly offlineMessages: number
  /** The same in bytes. */
  readonly offlineBytes: number
  /** The same of all stored sessions together, with what their rows take; beyond it the fullest gives up its oldest. */
  readonly offlineTotalBytes: number
  /** Messages older than this go from stored sessions, ms of counted running time. */
  readonly offlineAgeMs: number
  /** Topics with a retained message. */
  readonly retainedTopics: number
  readonly retainedBytes: number
  /** Characters. */
  readonly topicLength: number
  readonly topicLevels: number
  readonly clientIdLength: number
  /** Resident memory of the whole process, bytes; near it new connections are refused and backlogs dropped. */
  readonly memoryBytes: number
}

const KIB = 1024
const MIB = 1024 * KIB

export const DEFAULT_LIMITS: BrokerLimits = {
  connections: 1_000,
  connectionsPerAddress: 1_000,
  connectionsPerPrincipal: 1_000,
  strangers: 200,
  connectTimeoutMs: 5_000,
  connectBytes: 16 * KIB,
  packetBytes: 256 * KIB,
  bytesPerSecond: 64 * MIB,
  packetsPerSecond: 200_000,
  inflightIn: 512,
  unreleased: 10_000,
  inflightInBytes: 8 * MIB,
  storeWaitMs: 30_000,
  inflightOut: 8_000,
  queuedMessages: 20_000,
  queuedBytes: 8 * MIB,
  backlogBytes: 4 * MIB,
  slowMs: 30_000,
  backlogTotalBytes: 32 * MIB,
  subscriptions: 256,
  absentSessions: 64,
  sessions: 1_000,
  offlineMessages: 10_000,
  offlineBytes: 16 * MIB,
  offlineTotalBytes: 1024 * MIB,
  offlineAgeMs: 28 * 86_400_000,
  retainedTopics: 50_000,
  retainedBytes: 32 * MIB,
  topicLength: 512,
  topicLevels: 16,
  clientIdLength: 128,
  memoryBytes: 256 * MIB,
}

/** Limits of a part of the whole: where nobody says otherwise they are no more than that. */
const PARTS: readonly (readonly [part: keyof BrokerLimits, whole: keyof BrokerLimits])[] = [
  ['connectionsPerAddress', 'connections'],
  ['connectionsPerPrincipal', 'connections'],
  ['strangers', 'connections'],
  ['absentSessions', 'sessions'],
]

/** Every limit: those that are given, the default of all others. */
export function limitsWith(given: Partial<BrokerLimits>): BrokerLimits {
  const limits: Record<keyof BrokerLimits, number> = { ...DEFAULT_LIMITS, ...given }
  for (const [part, whole] of PARTS)
    if (given[part] === undefined) limits[part] = Math.min(limits[part], limits[whole])
  return limits
}

/** Limits of which the first makes no sense above the second. */
const ORDERED: readonly (readonly [least: keyof BrokerLimits, most: keyof BrokerLimits])[] = [
  ...PARTS,
  ['packetBytes', 'bytesPerSecond'],
  ['packetBytes', 'inflightInBytes'],
  ['packetBytes', 'queuedBytes'],
  ['packetBytes', 'backlogBytes'],
  ['packetBytes', 'offlineBytes'],
  ['packetBytes', 'retainedBytes'],
  ['backlogBytes', 'backlogTotalBytes'],
  ['offlineBytes', 'offlineTotalBytes'],
  ['inflightInBytes', 'memoryBytes'],
  ['backlogTotalBytes', 'memoryBytes'],
  ['retainedBytes', 'memoryBytes'],
  ['topicLevels', 'topicLength'],
]

/** Pairs of limits that contradict each other: the first is above the second. */
export const contradictions = (
  limits: BrokerLimits,
): readonly (readonly [low: keyof BrokerLimits, high: keyof BrokerLimits])[] =>
  ORDERED.filter(([low, high]) => limits[low] > limits[high])
