import type { BrokerStats } from '../broker.ts'
import { type Refusal, REFUSALS } from '../listen/index.ts'
import { type CounterBy, Metrics } from './metrics.ts'
import { addProcessMetrics } from './process.ts'

/** Every limit that may refuse something. A new one is added here, so that nothing is refused uncounted. */
export const BOUNDS = ['connections', 'packet-bytes', 'backlog-bytes'] as const
export type Bound = (typeof BOUNDS)[number]

/** Whatever the broker counts. */
export interface BrokerMetrics extends Pick<Metrics, 'families'> {
  readonly bounds: CounterBy<Bound>
  /** Connections that ended before their CONNECT. */
  readonly handshakes: CounterBy<Refusal>
}

const STATS: readonly [key: keyof BrokerStats, type: 'counter' | 'gauge', name: string, help: string][] = [
  ['clients', 'gauge', 'clients', 'Clients that are logged in.'],
  ['published', 'counter', 'messages_published_total', 'Messages taken from clients and from inside.'],
  ['delivered', 'counter', 'messages_delivered_total', 'Messages handed to subscribers.'],
  [
    'quarantined',
    'counter',
    'messages_quarantined_total',
    'Publishes that the policy refused; acknowledged, delivered to nobody.',
  ],
  ['withheld', 'counter', 'deliveries_refused_total', 'Deliveries that the policy refused.'],
  [
    'dropped',
    'counter',
    'messages_dropped_total',
    'Messages that went because a queue, the retained store or a backlog was full.',
  ],
  ['refusedConnects', 'counter', 'connects_refused_total', 'Logins that were refused.'],
  ['refusedSubscriptions', 'counter', 'subscriptions_refused_total', 'Subscriptions that were refused.'],
]

export function createBrokerMetrics(stats: () => BrokerStats): BrokerMetrics {
  const metrics = new Metrics()
  for (const [key, type, name, help] of STATS) {
    metrics.read(type, `headgate_broker_${name}`, help, () => stats()[key])
  }
  const bounds = metrics.counterBy(
    { name: 'headgate_broker_bounds_total', label: 'bound', values: BOUNDS },
    'What was refused or closed because it went beyond a bound, by the bound.',
  )
  const handshakes = metrics.counterBy(
    { name: 'headgate_broker_handshakes_refused_total', label: 'reason', values: REFUSALS },
    'Connections refused before MQTT began, by the reason.',
  )
  addProcessMetrics(metrics)
  return { bounds, handshakes, families: () => metrics.families() }
}
