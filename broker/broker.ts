import type { AuditEvent } from './exchange/audit.ts'
import type { BrokerLimits } from './limits.ts'
import type { ListenerSpec } from './listen/index.ts'
import type { BrokerLog } from './log.ts'
import type { MetricFamily } from './metrics/metrics.ts'
import type { BrokerStorage, TrafficRegister } from './persistence/index.ts'
import type { BrokerPolicy, Principal } from './policy.ts'
import type { DollarTopics } from './topics.ts'

export interface BrokerOptions<P extends Principal> {
  /** URLs like `tcp://HOST:PORT` (port 0 picks a free one), or listeners with their files. */
  readonly listen: readonly (string | ListenerSpec)[]
  readonly policy: BrokerPolicy<P>
  readonly log: BrokerLog
  /** Topics that begin with `$`; default: refused. */
  readonly dollarTopics?: DollarTopics
  /** Where sessions, queues and messages are kept. Without it they are in memory, and a PUBACK promises no more than that. */
  readonly storage?: BrokerStorage
  /** A clock that never goes back, ms: what waits grows old by it; default: since the process began. */
  readonly monoMs?: () => number
  /** What differs from `DEFAULT_LIMITS`. */
  readonly limits?: Partial<BrokerLimits>
  /**
   * Whose a topic is, for the registers; default: nobody's (the empty text). Asked once for a topic until `closeSessions`.
   */
  readonly ownerOf?: (topic: string) => string
  /**
   * Called with each message that was taken from a client or written to one, once each, before the commit that holds it.
   * Whatever it keeps must go into that commit by the same writer.
   */
  readonly onTraffic?: (packet: TrafficPacket) => void
  /** Called at the start when what is stored has been taken up, before anybody can connect. */
  readonly onLoaded?: () => void
  /** Told of refused connects, publishes, subscriptions and wills; rate-limited. */
  readonly onAudit?: (event: AuditEvent) => void
}

export interface TrafficPacket {
  readonly topic: string
  /** The whole packet. */
  readonly bytes: number
  readonly direction: 'in' | 'out'
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
  /** Messages that went because a queue, the retained store or a connection's backlog was full. */
  readonly dropped: number
}

/** The broker in this process. */
export interface Broker<P extends Principal> {
  start(signal: AbortSignal): Promise<void>
  stop(): Promise<void>
  /** Addresses actually listened on, like `tcp://HOST:PORT`. */
  addresses(): readonly string[]
  /**
   * Reads the certificates of all listeners again; open connections stay. One that cannot be used leaves the old one in
   * use. @throws BrokerError BROKER_TLS_INVALID
   */
  reloadCertificates(): Promise<void>
  /**
   * Publishes from inside, without asking the policy who sends; deliveries are asked as ever. Resolves when the
   * message has been handed to the queue or the connection of everybody who gets it, not when they have received it.
   * A retained message from inside is kept in memory only: publish it again after a start.
   */
  publish(message: LocalMessage): Promise<void>
  /**
   * Called for every allowed publish of a client; the returned way stops it. A QoS 1 or 2 message is stored by then.
   * After a crash what was stored last is told again.
   */
  onMessage(listener: (message: ClientMessage<P>) => void): () => void
  /**
   * Closes every connection of the principals for which this is true, e.g. after a revocation, and drops their
   * stored subscriptions, queued messages and wills. Resolves when that is on the disk.
   * @param also `nobodys`: stored sessions of principals whom the policy does not know (any more)
   */
  closeSessions(which: (principal: P) => boolean, also?: { readonly nobodys: boolean }): Promise<void>
  /**
   * Drops the retained messages of the topics for which this is true, whoever published them. Resolves with their number
   * when that is on the disk.
   */
  dropRetained(which: (topic: string) => boolean): Promise<number>
  stats(): BrokerStats
  /** Messages and bytes of each principal, owner of topics and direction, as the last commit left them. */
  traffic(): readonly TrafficRegister[]
  /** Every figure, bounds and refusals included, for `serveMetrics`. */
  metrics(): readonly MetricFamily[]
}
