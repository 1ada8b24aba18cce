import { Readable } from 'node:stream'
import { FilterIndex } from '../delivery/filter-index.ts'
import { AedesOutgoing, type Subscriber } from './aedes-outgoing.ts'
import type { MessageStore, Qos, StoredFilter, StoredSession } from './message-store.ts'
import { type AedesPacket, changedExtra, messageOf, moreOf, packetOf } from './packet-json.ts'

interface ClientRef {
  readonly id: string
}

/** A filter of a client with the options that MQTT 5 has for it. */
export interface AedesSubscription {
  readonly topic: string
  readonly qos: Qos
  readonly rh?: number
  readonly rap?: boolean
  readonly nl?: boolean
  readonly subscriptionIdentifier?: number
}

interface Matched extends AedesSubscription {
  readonly clientId: string
}

export interface AedesPersistenceOptions {
  /** What the store's `load` answered. */
  readonly sessions: readonly StoredSession[]
  /** Whose sessions are made where a client subscribes that has none; default: nobody's. */
  readonly principalOf?: (clientId: string) => string
  /**
   * True: `streamWill` gives out the wills of other brokers, as the interface says. Default false, and it must stay so in a
   * broker that runs: aedes publishes what comes there as wills of dead brokers, and takes the living one for dead when the
   * wall clock jumps forward by more than three heartbeats. `MessageStore.wills` has them at a start.
   */
  readonly givesOutWills?: boolean
  /** A retained message was not kept because a bound is met. */
  onDrop?(topic: string): void
  /** Called by `destroy`, after the last commit. */
  close?(): void
}

/** The interface of aedes-persistence 11 over the message store. What resolves is committed, `outgoing…` excepted. */
export class SqlitePersistence {
  readonly #store: MessageStore
  readonly #options: AedesPersistenceOptions
  readonly #outgoing: AedesOutgoing
  readonly #filters = new Map<string, Map<string, AedesSubscription>>()
  /** Each filter of each client is a subscriber of its own: aedes wants to know all that match. */
  readonly #index = new FilterIndex<Matched>()
  /** Those of QoS 1 and 2, by client and topic. */
  readonly #matched = new Map<string, Map<string, Matched>>()
  readonly #wills = new Map<string, Partial<AedesPacket>>()
  #broker: { readonly id: string } | undefined

  constructor(store: MessageStore, options: AedesPersistenceOptions) {
    this.#store = store
    this.#options = options
    this.#outgoing = new AedesOutgoing(store)
  }

  get broker(): { readonly id: string } | undefined {
    return this.#broker
  }

  /** aedes looks whether this is an async function. */
  async setup(broker: { readonly id: string }): Promise<void> {
    this.#broker = broker
    for (const { clientId, filters, last } of this.#options.sessions) {
      for (const filter of filters) this.#add(clientId, subscriptionOf(filter))
      this.#outgoing.load(clientId, last)
    }
    for (const will of this.#store.wills()) this.#wills.set(will.clientId, packetOf(will))
    await Promise.resolve()
  }

  async storeRetained(packet: AedesPacket): Promise<void> {
    if (!this.#store.retain(messageOf(packet))) this.#options.onDrop?.(packet.topic)
    await this.#store.committed()
  }

  createRetainedStream(filter: string): Readable {
    return this.createRetainedStreamCombi([filter])
  }

  createRetainedStreamCombi(filters: readonly string[]): Readable {
    return Readable.from(packetsOf(this.#store.retained(filters)))
  }

  async addSubscriptions(client: ClientRef, subscriptions: readonly AedesSubscription[]): Promise<void> {
    this.#store.openSession(client.id, this.#principalOf(client.id))
    for (const subscription of subscriptions) {
      this.#add(client.id, subscription)
      this.#store.putSubscription(client.id, filterOf(subscription))
    }
    await this.#store.committed()
  }

  async removeSubscriptions(client: ClientRef, topics: readonly string[]): Promise<void> {
    const filters = this.#filters.get(client.id)
    for (const topic of topics) {
      filters?.delete(topic)
      this.#unmatch(client.id, topic)
      this.#store.dropSubscription(client.id, topic)
    }
    if (filters?.size === 0) this.#filters.delete(client.id)
    await this.#store.committed()
  }

  subscriptionsByClient(client: ClientRef): Promise<AedesSubscription[]> {
    return Promise.resolve([...(this.#filters.get(client.id)?.values() ?? [])])
  }

  countOffline(): Promise<{ subsCount: number; clientsCount: number }> {
    const subscriptions = [...this.#matched.values()].reduce((sum, { size }) => sum + size, 0)
    return Promise.resolve({ subsCount: subscriptions, clientsCount: this.#filters.size })
  }

  /** QoS 0 subscriptions get nothing while their client is away; they are left out. */
  subscriptionsByTopic(topic: string): Promise<Matched[]> {
    return Promise.resolve(this.#index.match(topic).map(({ subscriber }) => subscriber))
  }

  /** The whole session goes: that is what a clean session means [MQTT-3.1.2-6]. */
  async cleanSubscriptions(client: ClientRef): Promise<void> {
    for (const topic of this.#filters.get(client.id)?.keys() ?? []) this.#unmatch(client.id, topic)
    this.#filters.delete(client.id)
    this.#outgoing.forget(client.id)
    this.#store.dropSession(client.id)
    await this.#store.committed()
  }

  outgoingEnqueue(subscriber: Subscriber, packet: AedesPacket): Promise<void> {
    return this.outgoingEnqueueCombi([subscriber], packet)
  }

  /** In the same tick: a call that is 2 ms late makes aedes drop acknowledged messages. The rows ride the next commit. */
  outgoingEnqueueCombi(subscribers: readonly Subscriber[], packet: AedesPacket): Promise<void> {
    for (const { clientId } of subscribers) {
      this.#store.openSession(clientId, this.#principalOf(clientId))
    }
    this.#outgoing.enqueue(subscribers, packet)
    return Promise.resolve()
  }

  outgoingUpdate(client: ClientRef, packet: Partial<AedesPacket>): Promise<void> {
    this.#outgoing.update(client.id, packet)
    return Promise.resolve()
  }

  outgoingClearMessageId(client: ClientRef, packet: Partial<AedesPacket>): Promise<unknown> {
    return this.#outgoing.clear(client.id, packet)
  }

  outgoingStream(client: ClientRef): Readable {
    return this.#outgoing.stream(client.id)
  }

  async incomingStorePacket(client: ClientRef, packet: AedesPacket): Promise<void> {
    const { topic, payload, extra } = messageOf(packet)
    const { qos, retain } = packet
    const whole = changedExtra(extra, { topic, payload, qos, retain })
    this.#store.holdIncoming(client.id, messageIdOf(packet), whole)
    await this.#store.committed()
  }

  incomingGetPacket(client: ClientRef, packet: Partial<AedesPacket>): Promise<unknown> {
    const extra = this.#store.incomingExtra(client.id, messageIdOf(packet))
    return extra === undefined ? Promise.reject(new Error('no such packet')) : Promise.resolve(moreOf(extra))
  }

  async incomingDelPacket(client: ClientRef, packet: Partial<AedesPacket>): Promise<void> {
    const messageId = messageIdOf(packet)
    if (!this.#store.holdsIncoming(client.id, messageId)) throw new Error('no such packet')
    this.#store.releaseIncoming(client.id, messageId)
    await this.#store.committed()
  }

  async cleanIncoming(client: ClientRef): Promise<void> {
    this.#store.dropIncoming(client.id)
    await this.#store.committed()
  }

  async putWill(client: ClientRef, packet: AedesPacket): Promise<void> {
    // aedes expects its own packet to bear them from now on.
    Object.assign(packet, { brokerId: this.#broker?.id, clientId: client.id })
    const message = messageOf(packet)
    this.#wills.set(client.id, packetOf(message))
    this.#store.putWill(client.id, message)
    await this.#store.committed()
  }

  getWill(client: ClientRef): Promise<Partial<AedesPacket> | undefined> {
    return Promise.resolve(this.#wills.get(client.id))
  }

  async delWill(client: ClientRef): Promise<Partial<AedesPacket> | undefined> {
    const will = this.#wills.get(client.id)
    this.#wills.delete(client.id)
    this.#store.dropWill(client.id)
    await this.#store.committed()
    return will
  }

  /** Wills of brokers that are not among these; see `givesOutWills`. */
  streamWill(brokers: Readonly<Record<string, unknown>> = {}): Readable {
    if (this.#options.givesOutWills !== true) return Readable.from([])
    const wills = [...this.#wills.values()]
    return Readable.from(wills.filter((will) => !Object.hasOwn(brokers, String(will.brokerId))))
  }

  /** Ids of the clients that have exactly this filter. */
  getClientList(topic: string): Readable {
    const clients = [...this.#filters].filter(([, filters]) => filters.has(topic))
    return Readable.from(clients.map(([clientId]) => clientId))
  }

  async destroy(): Promise<void> {
    await this.#store.committed()
    this.#options.close?.()
  }

  #add(clientId: string, subscription: AedesSubscription): void {
    const { topic, qos, rh, rap, nl } = subscription
    const filters = this.#filters.get(clientId) ?? new Map<string, AedesSubscription>()
    this.#filters.set(clientId, filters)
    filters.set(topic, { ...subscription })
    this.#unmatch(clientId, topic)
    if (qos === 0) return
    // Not the identifier of the subscription: it belongs to what a client gets, not to what matches.
    const matched = { clientId, topic, qos, ...defined({ rh, rap, nl }) }
    const ofClient = this.#matched.get(clientId) ?? new Map<string, Matched>()
    this.#matched.set(clientId, ofClient)
    ofClient.set(topic, matched)
    this.#index.add(topic, matched, qos)
  }

  #unmatch(clientId: string, topic: string): void {
    const ofClient = this.#matched.get(clientId)
    const matched = ofClient?.get(topic)
    if (ofClient === undefined || matched === undefined) return
    this.#index.remove(topic, matched)
    ofClient.delete(topic)
    if (ofClient.size === 0) this.#matched.delete(clientId)
  }

  #principalOf(clientId: string): string {
    return this.#options.principalOf?.(clientId) ?? ''
  }
}

async function* packetsOf(
  messages: AsyncIterable<Parameters<typeof packetOf>[0]>,
): AsyncGenerator<AedesPacket> {
  for await (const message of messages) yield { cmd: 'publish', ...packetOf(message) }
}

function filterOf({ topic, qos, ...more }: AedesSubscription): StoredFilter {
  const extra = JSON.stringify(more)
  return { topic, qos, ...(extra !== '{}' && { extra }) }
}

const subscriptionOf = ({ topic, qos, extra }: StoredFilter): AedesSubscription => ({
  topic,
  qos,
  ...(extra !== undefined && (JSON.parse(extra) as Partial<AedesSubscription>)),
})

/** Without what is undefined. */
function defined(
  options: {
    readonly [Name in 'rh' | 'rap' | 'nl']: AedesSubscription[Name] | undefined
  },
): Pick<AedesSubscription, 'rh' | 'rap' | 'nl'> {
  const { rh, rap, nl } = options
  return {
    ...(rh !== undefined && { rh }),
    ...(rap !== undefined && { rap }),
    ...(nl !== undefined && { nl }),
  }
}

const messageIdOf = ({ messageId }: Partial<AedesPacket>): number =>
  typeof messageId === 'number' ? messageId : 0
