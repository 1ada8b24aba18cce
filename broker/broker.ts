import type { ListenerSpec } from './listen/index.ts'
import type { BrokerLog } from './log.ts'
import type { MetricFamily } from './metrics/metrics.ts'
import type { BrokerPolicy, Principal } from './policy.ts'
import type { DollarTopics } from './topics.ts'

export type { BrokerLog } from './log.ts'

export interface BrokerOptions<P extends Principal> {
  /** A URL alone, `tcp://HOST:PORT`, or one with certificates and what else belongs to it. Port 0 picks a free one. */
  readonly listen: readonly (string | ListenerSpec)[]
  readonly policy: BrokerPolicy<P>
  readonly log: BrokerLog
  /** Topics that begin with `$`; default: refused. */
  readonly dollarTopics?: DollarTopics
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
  /** Addresses actually listened on, in the order they were asked for, `tcp://HOST:PORT` or `unix:/PATH`. */
  addresses(): readonly string[]
  /**
   * Reads the certificates of all listeners again; open connections stay. One that cannot be used leaves the old one in
   * use and does not hold up the others. @throws BrokerError BROKER_TLS_INVALID, the first there was
   */
  reloadCertificates(): Promise<void>
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
