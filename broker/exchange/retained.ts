import { Message } from '../delivery/message.ts'
import type { BrokerLimits } from '../limits.ts'
import type { CommitWriter, MessageStore } from '../persistence/index.ts'
import { filterMatches } from '../topics.ts'

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

  /** As they are now: what is published later reaches a subscriber live. */
  matching(filters: readonly string[]): AsyncIterable<Message> {
    const matches = (topic: string): boolean => filters.some((filter) => filterMatches(filter, topic))
    const inside = [...this.#inside.values(), ...this.#noted.values()].filter(({ topic }) => matches(topic))
    const seen = new Set(inside.map(({ topic }) => topic))
    const there = inside.filter(({ payload }) => payload.length > 0)
    return this.#all(there, this.#store.retained(filters), seen)
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
    for (const topic of this.#noted.keys()) if (which(topic)) this.#noted.delete(topic)
    for (const [topic, message] of this.#inside) {
      if (!which(topic)) continue
      this.#inside.delete(topic)
      this.#insideBytes -= message.size
      dropped += 1
    }
    return dropped
  }

  async *#all(
    inside: readonly Message[],
    stored: ReturnType<MessageStore['retained']>,
    seen: ReadonlySet<string>,
  ): AsyncGenerator<Message> {
    yield* inside
    for await (const message of stored) if (!seen.has(message.topic)) yield new Message(message)
  }
}
