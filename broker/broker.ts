import type { MetricFamily } from './metrics/metrics.ts'
import type { BrokerPolicy, Principal } from './policy.ts'
import type { DollarTopics } from './topics.ts'

export interface BrokerOptions<P extends Principal> {
  /** `tcp://HOST:PORT`; port 0 picks a free one. */
  readonly listen: readonly string[]
  readonly policy: BrokerPolicy<P>
  readonly log: BrokerLog
  /** Topics that begin with `$`; default: refused. */
  readonly dollarTopics?: DollarTopics
}

/** The part of a logger that the broker uses; pino fits. */
export interface BrokerLog {
  info(detail: object, message: string): void
  warn(detail: object, message: string): void
  error(detail: object, message: string): void
}

export interface LocalMessage {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: 0 | 1
  readonly retain: boolean
}

/** A message a client published and the policy allowed. */
export interface ClientMessage<P extends Principal> extends LocalMessage {
  readonly principal: P
  readonly clientId: string
}

export interface BrokerStats {
  readonly clients: number
  readonly published: number
  readonly delivered: number
  readonly quarantined: number
  readonly refusedConnects: number
  readonly refusedSubscriptions: number
  /** Deliveries the policy refused. */
  readonly withheld: number
  /** Packets that went because a queue, the retained store or a connection's backlog was full. */
  readonly dropped: number
}

/** The broker in this process. */
export interface Broker<P extends Principal> {
  start(signal: AbortSignal): Promise<void>
  stop(): Promise<void>
  /** Addresses actually listened on, `tcp://HOST:PORT`. */
  addresses(): readonly string[]
  /**
   * Publishes from inside, without asking the policy who sends; deliveries are asked as ever. Resolves when the
   * message has been handed to the queue or the socket of everybody who gets it, not when they have received it.
   */
  publish(message: LocalMessage): Promise<void>
  /** Called for every allowed publish of a client; the returned way stops it. */
  onMessage(listener: (message: ClientMessage<P>) => void): () => void
  /**
   * Closes every connection of the principals for which this is true, e.g. after a revocation, and drops their
   * stored subscriptions and queued packets.
   */
  closeSessions(which: (principal: P) => boolean): Promise<void>
  stats(): BrokerStats
  /** Every figure, bounds and refusals included, for `serveMetrics`. */
  metrics(): readonly MetricFamily[]
}
