import type { CloseReason } from '../connection/connection.ts'
import type { Counts } from '../exchange/counts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { type Refusal, REFUSALS } from '../listen/index.ts'
import type { TrafficTotals } from '../persistence/index.ts'
import type { Principal } from '../policy.ts'
import { WIRE_FAULTS } from '../wire/index.ts'
import { type CounterBy, Metrics } from './metrics.ts'
import { addProcessMetrics } from './process.ts'

/** Whatever the broker counts. */
export interface BrokerMetrics extends Pick<Metrics, 'families'> {
  readonly handshakes: CounterBy<Refusal>
}

const COUNTERS: readonly [key: NumberKey, name: string, help: string][] = [
  ['published', 'messages_published_total', 'Messages taken from clients and from inside.'],
  ['delivered', 'messages_delivered_total', 'Messages handed to subscribers.'],
  ['redelivered', 'messages_redelivered_total', 'Messages sent again with the DUP flag.'],
  [
    'quarantined',
    'messages_quarantined_total',
    'Publishes that the policy refused; acknowledged, delivered to nobody.',
  ],
  ['withheld', 'deliveries_refused_total', 'Deliveries that the policy refused.'],
  ['refusedConnects', 'connects_refused_total', 'Logins that were refused.'],
  ['refusedSubscriptions', 'subscriptions_refused_total', 'Subscriptions that were refused.'],
  ['refusedWills', 'wills_refused_total', 'Wills that the policy refused.'],
  ['paused', 'publishers_paused_total', 'How often the reading of a publisher paused for the disk.'],
]
type NumberKey = { [K in keyof Counts]: Counts[K] extends number ? K : never }[keyof Counts]

const DIRECTIONS = ['in', 'out'] as const
const TRAFFIC: readonly [key: Exclude<keyof TrafficTotals, 'direction'>, name: string, help: string][] = [
  ['messages', 'messages_total', 'Messages of clients since the store was made, each once.'],
  ['bytes', 'bytes_total', 'Bytes of their packets.'],
  ['retransmitted', 'retransmitted_bytes_total', 'Bytes of messages that came or went again.'],
  [
    'refused',
    'refused_messages_total',
    'Messages of clients that were acknowledged and delivered to nobody.',
  ],
  ['refusedBytes', 'refused_bytes_total', 'Bytes of their packets.'],
]

const CLOSE_REASONS: readonly CloseReason[] = [
  'client',
  'network',
  'disconnect',
  'protocol',
  'connect-timeout',
  'crowded-out',
  'keepalive',
  'refused',
  'taken-over',
  'too-slow',
  'store-full',
  'revoked',
  'memory',
  'shutdown',
]

const PREFIX = 'headgate_broker_'

/** The figures of a broker, read when they are asked for. */
export function createBrokerMetrics<P extends Principal>(exchange: Exchange<P>): BrokerMetrics {
  const metrics = new Metrics()
  const { counts, store, registry, audit, publishing, retained } = exchange
  for (const [key, name, help] of COUNTERS)
    metrics.read('counter', `${PREFIX}${name}`, help, () => counts[key])
  const gauge = (name: string, help: string, value: () => number): void => {
    metrics.read('gauge', `${PREFIX}${name}`, help, value)
  }
  gauge('clients', 'Clients that are logged in.', () => registry.connected.size)
  gauge('connections', 'Connections that are open, logged in or not.', () => exchange.connections)
  gauge('sessions', 'Stored sessions, connected or not.', () => registry.sessions.size)
  gauge('queued_messages', 'Messages in the queues of stored sessions.', () => store.figures.queueRows)
  gauge('pending_messages', 'Published messages that wait for the disk.', () => publishing.pendingMessages)
  gauge(
    'retained_topics',
    'Topics with a retained message.',
    () => store.figures.retainedTopics + retained.insideTopics,
  )
  gauge('retained_bytes', 'Bytes of retained messages on the disk.', () => store.figures.retainedBytes)
  metrics.read('counter', `${PREFIX}commits_total`, 'Transactions.', () => store.figures.commits)
  metrics.read(
    'counter',
    `${PREFIX}audit_untold_total`,
    'Refusals counted but not logged.',
    () => audit.untold,
  )
  for (const [key, name, help] of TRAFFIC) {
    const values = (): (readonly [string, number])[] =>
      DIRECTIONS.map((direction) => [direction, exchange.registers.totals(direction)[key]])
    metrics.readBy({ name: `${PREFIX}traffic_${name}`, label: 'direction' }, help, values)
  }
  metrics.readBy(
    { name: `${PREFIX}bounds_total`, label: 'bound' },
    'What was dropped, turned away, closed or made to wait because of a bound, by the bound.',
    () => counts.bounds.totals(),
  )
  metrics.readBy({ name: `${PREFIX}closed_total`, label: 'reason' }, 'Connections closed, by why.', () =>
    CLOSE_REASONS.map((reason) => [reason, counts.closed.get(reason) ?? 0]),
  )
  metrics.readBy(
    { name: `${PREFIX}protocol_faults_total`, label: 'fault' },
    'Packets that broke the protocol, by how.',
    () =>
      [...new Set([...WIRE_FAULT_NAMES, 'out-of-turn'])].map((fault) => [
        fault,
        counts.faults.get(fault) ?? 0,
      ]),
  )
  metrics.readBy({ name: `${PREFIX}limit`, label: 'bound', type: 'gauge' }, 'The bounds in force.', () =>
    Object.entries(exchange.limits).map(([bound, value]) => [bound, Number(value)]),
  )
  const handshakes = metrics.counterBy(
    { name: `${PREFIX}handshakes_refused_total`, label: 'reason', values: REFUSALS },
    'Connections refused before MQTT began, by the reason.',
  )
  addProcessMetrics(metrics)
  return { handshakes, families: () => metrics.families() }
}

const WIRE_FAULT_NAMES = Object.keys(WIRE_FAULTS)
