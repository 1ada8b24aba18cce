import type {
  AedesPublishPacket,
  AuthenticateError,
  Client,
  PublishPacket,
  Subscription as AedesSubscription,
} from 'aedes'
import type { BrokerLog, BrokerOptions, BrokerStats, ClientMessage } from './broker.ts'
import type { GuardedSocket } from './guarded-socket.ts'
import { BACKLOG_BYTES_MAX, BACKLOG_NOTED_BYTES, SUBSCRIPTIONS_MAX } from './limits.ts'
import type { BrokerMetrics } from './metrics/broker-metrics.ts'
import { MemoryStore } from './persistence/memory.ts'
import type { BrokerPolicy, ConnectAnswer, Credentials, Principal } from './policy.ts'
import { Sessions } from './sessions.ts'
import {
  clientIdIsSound,
  type DollarTopics,
  filterIsSound,
  QUARANTINE_TOPIC,
  topicIsReserved,
  topicIsSound,
} from './topics.ts'

/** Return codes of a CONNACK (MQTT 3.1.1, 3.2.2.3). */
const IDENTIFIER_REJECTED = 2
const RETURN_CODES = { unavailable: 3, 'bad-credentials': 4, 'not-authorised': 5 } as const
type Refusal = (typeof RETURN_CODES)[keyof typeof RETURN_CODES] | typeof IDENTIFIER_REJECTED

interface Connection<P> {
  readonly client: Client
  readonly principal: P
  readonly filters: Set<string>
  /** Until its CONNACK, aedes subscribes to what the stored session holds. */
  restoring: boolean
}

/** A packet as aedes gives it to `authorizePublish`: what is changed here is what it goes on with. */
type Incoming = PublishPacket & { messageId?: number }

/**
 * The one place where the policy is asked. aedes calls it at connect, publish (wills too), subscribe (restored
 * sessions too) and before every delivery. A policy that throws has refused.
 */
export class Gate<P extends Principal> {
  readonly store: MemoryStore
  readonly #metrics: Pick<BrokerMetrics, 'bounds'>
  readonly #policy: BrokerPolicy<P>
  readonly #log: BrokerLog
  readonly #dollarTopics: DollarTopics
  readonly #sessions: Sessions<P>
  /** Also of connections that are gone: aedes publishes their wills later. */
  readonly #connections = new WeakMap<Client, Connection<P>>()
  readonly #open = new Set<Connection<P>>()
  readonly #listeners = new Set<(message: ClientMessage<P>) => void>()
  readonly #counts = {
    published: 0,
    delivered: 0,
    quarantined: 0,
    refusedConnects: 0,
    refusedSubscriptions: 0,
    withheld: 0,
    dropped: 0,
  }
  /** Counts revocations, so that a login that was asked before one is asked again after it. */
  #revocations = 0

  constructor(
    { policy, log, dollarTopics = 'refused' }: Omit<BrokerOptions<P>, 'listen'>,
    metrics: Pick<BrokerMetrics, 'bounds'>,
  ) {
    this.#metrics = metrics
    this.#policy = policy
    this.#log = log
    this.#dollarTopics = dollarTopics
    this.store = new MemoryStore({
      maySubscribe: (clientId, filter) => this.#maySubscribe(this.#sessions.principalOf(clientId), filter),
      mayReceive: (clientId, topic) => this.#mayReceive(this.#sessions.principalOf(clientId), topic),
      onDrop: () => (this.#counts.dropped += 1),
    })
    this.#sessions = new Sessions((clientId) => {
      this.store.forget(clientId)
    })
  }

  readonly authenticate = (
    client: Client,
    username: string | undefined,
    password: Buffer | undefined,
    done: (error: AuthenticateError | null, success: boolean | null) => void,
  ): void => {
    const { peer } = client.conn as GuardedSocket
    const credentials: Credentials = {
      clientId: client.id,
      username: username ?? null,
      password: password ?? null,
      remote: peer.remote,
      transport: peer.transport,
      certificate: peer.certificate,
    }
    void this.#logIn(client, credentials).then((refusal) => {
      if (refusal === null) {
        done(null, true)
        return
      }
      this.#counts.refusedConnects += 1
      this.#log.warn({ remote: peer.remote, username, returnCode: refusal }, 'connect refused')
      done(Object.assign(new Error('connect refused'), { returnCode: refusal }), null)
    })
  }

  readonly authorizePublish = (
    client: Client | null,
    packet: Incoming,
    done: (error?: Error | null) => void,
  ): void => {
    const connection = client === null ? undefined : this.#connections.get(client)
    // A QoS 2 message that comes again before its PUBREL is answered by aedes and goes nowhere: it counts once.
    const repeated =
      packet.qos === 2 && client !== null && this.store.holdsIncoming(client.id, packet.messageId)
    if (!repeated) this.#receive(connection, packet)
    done(null)
  }

  readonly authorizeSubscribe = (
    client: Client,
    subscription: AedesSubscription,
    done: (error: Error | null, subscription?: AedesSubscription | null) => void,
  ): void => {
    const connection = this.#connections.get(client)
    const filter = subscription.topic
    const fits =
      connection !== undefined &&
      (connection.filters.has(filter) || connection.filters.size < SUBSCRIPTIONS_MAX)
    // What is stored was granted once. It is not judged again here but at each delivery: a right that comes back
    // makes the subscription speak again, without the client having to know.
    if (fits && (connection.restoring || this.#maySubscribe(connection.principal, filter))) {
      connection.filters.add(filter)
      done(null, subscription)
      return
    }
    this.#counts.refusedSubscriptions += 1
    done(null, null) // SUBACK 0x80 for this filter alone
  }

  // Not a repetition: live messages, queues, retained messages and restored sessions all pass only here, and a
  // right that was revoked after the SUBSCRIBE ends here. The principal is that of this very connection.
  readonly authorizeForward = (client: Client, packet: AedesPublishPacket): AedesPublishPacket | null => {
    const allowed = this.#mayReceive(this.#connections.get(client)?.principal, packet.topic)
    if (!allowed) {
      this.#counts.withheld += 1
      return null
    }
    const socket = client.conn as GuardedSocket
    if (socket.backlog > BACKLOG_NOTED_BYTES) this.#shedBacklog()
    if (socket.destroyed) {
      this.#counts.dropped += 1
      return null
    }
    this.#counts.delivered += 1
    return packet
  }

  /** Notes that a client has its CONNACK: whatever it subscribes to from now on is its own wish. */
  restored(client: Client): void {
    const connection = this.#connections.get(client)
    if (connection !== undefined) connection.restoring = false
  }

  /** Notes filters that a client has given up. */
  unsubscribed(client: Client, filters: readonly string[]): void {
    for (const filter of filters) this.#connections.get(client)?.filters.delete(filter)
  }

  /** Counts a message from inside. */
  countPublished(): void {
    this.#counts.published += 1
  }

  onMessage(listener: (message: ClientMessage<P>) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async closeSessions(which: (principal: P) => boolean): Promise<void> {
    this.#revocations += 1
    const closing = [...this.#open].filter(({ principal }) => which(principal))
    await Promise.all(closing.map(({ client }) => closed(client)))
    this.#sessions.forgetAll(which)
  }

  stats(): BrokerStats {
    return { clients: this.#open.size, ...this.#counts }
  }

  /** Closes the subscriber furthest behind where all together are too far behind. */
  #shedBacklog(): void {
    let total = 0
    let most: GuardedSocket | undefined
    for (const { client } of this.#open) {
      const socket = client.conn as GuardedSocket
      total += socket.backlog
      if (most === undefined || socket.backlog > most.backlog) most = socket
    }
    if (total <= BACKLOG_BYTES_MAX) return
    this.#metrics.bounds.add('backlog-bytes')
    most?.destroy(new Error('the subscriber is too far behind'))
  }

  async #logIn(client: Client, credentials: Credentials): Promise<Refusal | null> {
    if (!clientIdIsSound(client.id)) return IDENTIFIER_REJECTED
    let answer: ConnectAnswer<P>
    let asked: number
    do {
      asked = this.#revocations
      answer = await this.#ask(credentials)
    } while (asked !== this.#revocations)
    if (!answer.allowed) return RETURN_CODES[answer.because]
    if (client.conn.destroyed) return RETURN_CODES.unavailable
    if (!this.#sessions.claim(client.id, answer.principal, client.clean)) return IDENTIFIER_REJECTED
    const connection = { client, principal: answer.principal, filters: new Set<string>(), restoring: true }
    this.#connections.set(client, connection)
    this.#open.add(connection)
    client.conn.once('close', () => {
      this.#open.delete(connection)
      this.#sessions.release(client.id)
    })
    return null
  }

  async #ask(credentials: Credentials): Promise<ConnectAnswer<P>> {
    try {
      return await this.#policy.connect(credentials)
    } catch (err) {
      this.#log.error({ err }, 'the policy failed at connect')
      return { allowed: false, because: 'unavailable' }
    }
  }

  #receive(connection: Connection<P> | undefined, packet: Incoming): void {
    if (connection === undefined || !this.#mayPublish(connection.principal, packet)) {
      this.#counts.quarantined += 1
      packet.topic = QUARANTINE_TOPIC
      packet.payload = Buffer.alloc(0)
      packet.retain = false
      return
    }
    this.#counts.published += 1
    const message: ClientMessage<P> = {
      topic: packet.topic,
      payload: Buffer.from(packet.payload),
      qos: packet.qos === 0 ? 0 : 1,
      retain: packet.retain,
      principal: connection.principal,
      clientId: connection.client.id,
    }
    for (const listener of this.#listeners) this.#guarded(() => (listener(message), true))
  }

  #mayPublish(principal: P, packet: Incoming): boolean {
    const { topic, retain, qos, payload } = packet
    if (!topicIsSound(topic, this.#dollarTopics)) return false
    const payloadBytes = Buffer.byteLength(payload)
    return this.#guarded(
      () => this.#policy.mayPublish(principal, { topic, retain, qos, payloadBytes }) === 'allow',
    )
  }

  #maySubscribe(principal: P | undefined, filter: string): boolean {
    if (principal === undefined || !filterIsSound(filter, this.#dollarTopics)) return false
    return this.#guarded(() => this.#policy.maySubscribe(principal, filter))
  }

  #mayReceive(principal: P | undefined, topic: string): boolean {
    if (principal === undefined || topicIsReserved(topic, this.#dollarTopics)) return false
    return this.#guarded(() => this.#policy.mayReceive(principal, topic))
  }

  #guarded(question: () => boolean): boolean {
    try {
      return question()
    } catch (err) {
      this.#log.error({ err }, 'the policy or a listener failed')
      return false
    }
  }
}

const closed = (client: Client): Promise<void> =>
  new Promise((resolve) => {
    client.close(resolve)
  })
