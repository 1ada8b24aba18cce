import { Readable } from 'node:stream'
import { RETAINED_TOPICS_MAX } from '../limits.ts'
import { filterMatches } from '../topics.ts'
import { FilterTree } from './filter-tree.ts'
import { OutgoingQueue, type StoredPacket } from './outgoing-queue.ts'

interface StoredSubscription {
  readonly topic: string
  readonly qos: 0 | 1 | 2
}

interface MessagePacket extends StoredPacket {
  readonly topic: string
  readonly payload: Buffer
}

interface ClientRef {
  readonly id: string
}

/** What may enter the store of a client; asked again when it leaves. */
export interface StoreGate {
  maySubscribe(clientId: string, filter: string): boolean
  mayReceive(clientId: string, topic: string): boolean
  /** A packet was dropped because a limit was reached. */
  onDrop(): void
}

interface Session {
  readonly filters: Map<string, StoredSubscription>
  readonly queue: OutgoingQueue
}

/**
 * Sessions, queues and retained messages in memory, as aedes asks for them. It differs from the store that aedes
 * brings in what a gateway needs: only filters that were granted are kept (aedes hands over all filters of a packet
 * once one is granted), nothing is queued for a client that may not receive it, everything is bounded, and a
 * session can be dropped whole.
 */
export class MemoryStore {
  readonly #gate: StoreGate
  readonly #sessions = new Map<string, Session>()
  readonly #incoming = new Map<string, Map<number, StoredPacket>>()
  readonly #retained = new Map<string, MessagePacket>()
  readonly #tree = new FilterTree()

  constructor(gate: StoreGate) {
    this.#gate = gate
  }

  /** aedes looks whether this is an async function. */
  async setup(): Promise<void> {
    await Promise.resolve()
  }

  /** Drops the subscriptions, the queue and the half-done QoS 2 messages of a client. */
  forget(clientId: string): void {
    this.#dropFilters(clientId)
    this.#sessions.delete(clientId)
    this.#incoming.delete(clientId)
  }

  /** True where this QoS 2 message was taken already and its PUBREL has not come. */
  holdsIncoming(clientId: string, messageId: number | undefined): boolean {
    return messageId !== undefined && this.#incoming.get(clientId)?.has(messageId) === true
  }

  storeRetained(packet: MessagePacket): Promise<void> {
    if (packet.payload.length === 0) this.#retained.delete(packet.topic)
    else if (this.#retained.has(packet.topic) || this.#retained.size < RETAINED_TOPICS_MAX) {
      this.#retained.set(packet.topic, { ...packet })
    } else this.#gate.onDrop()
    return Promise.resolve()
  }

  createRetainedStreamCombi(filters: readonly string[]): Readable {
    // A copy: the stream is read later, one packet at a time, and the map may change meanwhile.
    const topics = [...this.#retained.keys()].filter((topic) => filters.some((f) => filterMatches(f, topic)))
    return Readable.from(topics.flatMap((topic) => this.#retained.get(topic) ?? []))
  }

  addSubscriptions(client: ClientRef, subscriptions: readonly StoredSubscription[]): Promise<void> {
    const session = this.#session(client.id)
    for (const { topic, qos } of subscriptions) {
      if (!this.#gate.maySubscribe(client.id, topic)) continue
      session.filters.set(topic, { topic, qos })
      if (qos > 0) this.#tree.add(topic, client.id, qos)
      else this.#tree.remove(topic, client.id)
    }
    return Promise.resolve()
  }

  removeSubscriptions(client: ClientRef, filters: readonly string[]): Promise<void> {
    for (const filter of filters) {
      this.#sessions.get(client.id)?.filters.delete(filter)
      this.#tree.remove(filter, client.id)
    }
    return Promise.resolve()
  }

  cleanSubscriptions(client: ClientRef): Promise<void> {
    this.#dropFilters(client.id)
    return Promise.resolve()
  }

  subscriptionsByClient(client: ClientRef): Promise<StoredSubscription[]> {
    return Promise.resolve([...(this.#sessions.get(client.id)?.filters.values() ?? [])])
  }

  subscriptionsByTopic(topic: string): Promise<{ clientId: string; qos: number }[]> {
    return Promise.resolve([...this.#tree.match(topic)].map(([clientId, qos]) => ({ clientId, qos })))
  }

  outgoingEnqueue(subscriber: { clientId: string; qos?: number }, packet: MessagePacket): Promise<void> {
    this.#enqueue(subscriber, packet)
    return Promise.resolve()
  }

  outgoingEnqueueCombi(
    subscribers: readonly { clientId: string; qos: number }[],
    packet: MessagePacket,
  ): Promise<void> {
    for (const subscriber of subscribers) this.#enqueue(subscriber, packet)
    return Promise.resolve()
  }

  /** Never fails: a packet that was dropped meanwhile costs its repetition, not the connection. */
  outgoingUpdate(client: ClientRef, packet: StoredPacket): Promise<void> {
    this.#sessions.get(client.id)?.queue.update(packet)
    return Promise.resolve()
  }

  outgoingClearMessageId(client: ClientRef, packet: StoredPacket): Promise<StoredPacket | undefined> {
    return Promise.resolve(this.#sessions.get(client.id)?.queue.acknowledge(packet.messageId))
  }

  outgoingStream(client: ClientRef): Readable {
    return Readable.from(this.#sessions.get(client.id)?.queue.list() ?? [])
  }

  incomingStorePacket(client: ClientRef, packet: StoredPacket): Promise<void> {
    const held = this.#incoming.get(client.id) ?? new Map<number, StoredPacket>()
    this.#incoming.set(client.id, held)
    // The identifier is all that is asked for later: the message itself has been passed on.
    held.set(packet.messageId ?? 0, { cmd: 'publish', messageId: packet.messageId })
    return Promise.resolve()
  }

  incomingGetPacket(client: ClientRef, packet: StoredPacket): Promise<StoredPacket> {
    const held = this.#incoming.get(client.id)?.get(packet.messageId ?? 0)
    return held === undefined ? Promise.reject(new Error('no such packet')) : Promise.resolve(held)
  }

  incomingDelPacket(client: ClientRef, packet: StoredPacket): Promise<void> {
    const gone = this.#incoming.get(client.id)?.delete(packet.messageId ?? 0) ?? false
    return gone ? Promise.resolve() : Promise.reject(new Error('no such packet'))
  }

  cleanIncoming(client: ClientRef): Promise<void> {
    this.#incoming.delete(client.id)
    return Promise.resolve()
  }

  /** A will lives with its connection in this process; only brokers that share a store need to keep it. */
  putWill(): Promise<void> {
    return Promise.resolve()
  }

  delWill(): Promise<void> {
    return Promise.resolve()
  }

  /**
   * Always empty. aedes publishes what comes here as wills of dead brokers, and takes the living one for dead when
   * the wall clock jumps forward.
   */
  streamWill(): Readable {
    return Readable.from([])
  }

  #session(clientId: string): Session {
    let session = this.#sessions.get(clientId)
    if (session === undefined) {
      const onDrop = (): void => {
        this.#gate.onDrop()
      }
      this.#sessions.set(clientId, (session = { filters: new Map(), queue: new OutgoingQueue(onDrop) }))
    }
    return session
  }

  #enqueue(subscriber: { clientId: string; qos?: number }, packet: MessagePacket): void {
    if (!this.#gate.mayReceive(subscriber.clientId, packet.topic)) return
    const { brokerId, brokerCounter = 0, topic, payload, qos = 0 } = packet
    const lowered = Math.min(qos, subscriber.qos ?? qos) as 0 | 1 | 2
    const stored: StoredPacket = {
      cmd: 'publish',
      ...(brokerId === undefined ? {} : { brokerId }),
      brokerCounter,
      topic,
      payload,
      qos: lowered,
      retain: false,
    }
    this.#session(subscriber.clientId).queue.add(brokerCounter, stored)
  }

  #dropFilters(clientId: string): void {
    const session = this.#sessions.get(clientId)
    if (session === undefined) return
    for (const filter of session.filters.keys()) this.#tree.remove(filter, clientId)
    session.filters.clear()
  }
}
