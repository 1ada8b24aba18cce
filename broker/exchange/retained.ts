import { FilterIndex } from '../delivery/filter-index.ts'
import { Message, type Qos } from '../delivery/message.ts'
import type { BrokerLimits } from '../limits.ts'
import type { CommitWriter, MessageStore } from '../persistence/index.ts'

/** A filter and the quality it asks for. */
export interface WantedFilter {
  readonly topic: string
  readonly qos: Qos
}

/** A retained message for a subscriber, at the quality that it gets. */
interface Retained {
  readonly message: Message
  readonly qos: Qos
}

/**
 * The last retained message of each topic. Those of clients are in the store; those from inside are in memory only:
 * whoever publishes them has the value elsewhere, and a write to the disk for each reading would wear it out.
 */
export class RetainedMessages {
  readonly #store: MessageStore
  readonly #limits: BrokerLimits
  readonly #inside = new Map<string, Message>()
  /**
   * Those of clients that the next commit stores. The store does not list them yet, and whoever subscribes now was not
   * there to get them live: without these a new subscription would miss the last message [MQTT-3.3.1-6].
   */
  readonly #noted = new Map<string, Message>()
  /** What is being sent from memory, by topic: what is replaced or dropped meanwhile leaves these. */
  readonly #sending = new Set<Map<string, Message>>()
  #insideBytes = 0

  constructor(store: MessageStore, writer: CommitWriter, limits: BrokerLimits) {
    this.#store = store
    this.#limits = limits
    writer.join({ name: 'broker retained', write: () => this.#inTransaction() })
  }

  /** True where nothing at all is retained, noted or committed. */
  get isEmpty(): boolean {
    return this.#inside.size === 0 && this.#store.figures.retainedTopics === 0
  }

  get insideTopics(): number {
    return this.#inside.size
  }

  /** True where there is no room for one more topic, however small. */
  get isFull(): boolean {
    const { retainedTopics } = this.#limits
    return this.#inside.size >= retainedTopics || this.#store.figures.retainedTopics >= retainedTopics
  }

  /** False where there is no room for one more topic. An empty payload removes it [MQTT-3.3.1-10]. */
  put(message: Message, keep: boolean): boolean {
    for (const sending of this.#sending) sending.delete(message.topic)
    const old = this.#inside.get(message.topic)
    if (old !== undefined) {
      this.#inside.delete(message.topic)
      this.#insideBytes -= old.size
    }
    if (keep) return this.#keep(message)
    if (message.payload.length === 0) return true
    const { retainedTopics, retainedBytes } = this.#limits
    if (this.#inside.size >= retainedTopics || this.#insideBytes + message.size > retainedBytes) return false
    this.#inside.set(message.topic, message)
    this.#insideBytes += message.size
    return true
  }

  /**
   * As they are now, each at the highest quality of its filters [MQTT-3.3.5-1]. What is published later reaches a
   * subscriber live, and what it replaces is left out: else the old value would come after the new one. Must be iterated.
   */
  matching(wanted: readonly WantedFilter[]): AsyncIterable<Retained> {
    // An index and not each filter: the time must not be filters times topics.
    const index = new FilterIndex<null>()
    for (const { topic, qos } of wanted) index.add(topic, null, qos)
    const inside = new Map<string, Message>()
    for (const messages of [this.#inside, this.#noted])
      for (const [topic, message] of messages) if (index.match(topic).length > 0) inside.set(topic, message)
    this.#sending.add(inside)
    const stored = this.#store.retained(wanted.map(({ topic }) => topic))
    return this.#all(inside, stored, index)
  }

  #keep(message: Message): boolean {
    if (!this.#store.retain(message)) return false
    this.#noted.set(message.topic, message)
    return true
  }

  #inTransaction(): (() => void) | undefined {
    if (this.#noted.size === 0) return undefined
    const written = [...this.#noted.values()]
    return () => {
      for (const message of written)
        if (this.#noted.get(message.topic) === message) this.#noted.delete(message.topic)
    }
  }

  /** Drops those for which it is true, in memory and on the disk. */
  drop(which: (topic: string) => boolean): number {
    let dropped = this.#store.dropRetained(which)
    for (const those of [this.#noted, ...this.#sending])
      for (const topic of those.keys()) if (which(topic)) those.delete(topic)
    for (const [topic, message] of this.#inside) {
      if (!which(topic)) continue
      this.#inside.delete(topic)
      this.#insideBytes -= message.size
      dropped += 1
    }
    return dropped
  }

  async *#all(
    inside: Map<string, Message>,
    stored: ReturnType<MessageStore['retained']>,
    index: FilterIndex<null>,
  ): AsyncGenerator<Retained> {
    const seen = new Set(inside.keys())
    const of = (message: Message): Retained => ({
      message,
      qos: Math.min(message.qos, index.match(message.topic)[0]?.qos ?? 0) as Qos,
    })
    try {
      for (const message of inside.values()) if (message.payload.length > 0) yield of(message)
      for await (const message of stored) if (!seen.has(message.topic)) yield of(new Message(message))
    } finally {
      this.#sending.delete(inside)
    }
  }
}
