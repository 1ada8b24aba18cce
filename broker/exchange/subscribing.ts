import { setTimeout as sleep } from 'node:timers/promises'
import type { FilterIndex } from '../delivery/filter-index.ts'
import type { Qos } from '../delivery/message.ts'
import { Session } from '../delivery/session.ts'
import type { Subscriber } from '../delivery/subscriber.ts'
import type { BrokerLimits } from '../limits.ts'
import type { BrokerLog } from '../log.ts'
import type { MessageStore } from '../persistence/index.ts'
import type { Principal } from '../policy.ts'
import type { SubscribePacket, UnsubscribePacket } from '../wire/index.ts'
import { encodeSuback, encodeUnsuback } from './answers.ts'
import type { Dialogue } from './dialogue.ts'
import type { Gate } from './gate.ts'
import type { Publishing } from './publishing.ts'
import type { RetainedMessages, WantedFilter } from './retained.ts'

/** Return code for one filter that was refused (MQTT 3.1.1, 3.9.3). */
const REFUSED = 0x80
/** How often a subscriber that is behind is looked at again, ms. */
const BEHIND_LOOK_MS = 20

interface SubscribingParts<P extends Principal> {
  readonly gate: Gate<P>
  readonly index: FilterIndex<Subscriber<P>>
  readonly store: MessageStore
  readonly retained: RetainedMessages
  readonly publishing: Publishing<P>
  readonly limits: BrokerLimits
  readonly log: BrokerLog
}

/** SUBSCRIBE and UNSUBSCRIBE: each filter is judged alone; what a stored session is granted is on the disk before its SUBACK. */
export class Subscribing<P extends Principal> {
  readonly #parts: SubscribingParts<P>

  constructor(parts: SubscribingParts<P>) {
    this.#parts = parts
  }

  subscribe(dialogue: Dialogue<P>, { messageId, subscriptions }: SubscribePacket): void {
    const { subscriber } = dialogue
    if (subscriber === undefined) return
    // Tens of thousands of the same fit into one packet: each is worked on once, and its last word counts [MQTT-3.8.4-4].
    const granted = new Map(subscriptions.map(({ topic, qos }) => [topic, qos]))
    const { gate, limits } = this.#parts
    let refused = 0
    for (const [topic, qos] of granted) {
      // As many different ones fit too, and each question costs.
      if (refused < limits.subscriptions && gate.maySubscribe(dialogue, subscriber, topic)) {
        this.#add(subscriber, { topic, qos })
        continue
      }
      granted.delete(topic)
      refused += 1
    }
    if (refused > limits.subscriptions) gate.refuseUnasked(dialogue, refused - limits.subscriptions)
    // [MQTT-3.8.4-5]: one code for each filter, in order, also where one comes twice.
    const codes = subscriptions.map(({ topic, qos }) => (granted.has(topic) ? qos : REFUSED))
    const hasStored = subscriber instanceof Session && granted.size > 0
    this.#whenStored(dialogue, hasStored, () => {
      dialogue.connection.send(encodeSuback(messageId, codes))
      if (granted.size > 0) this.#wantRetained(dialogue, subscriber, granted)
    })
  }

  unsubscribe(dialogue: Dialogue<P>, { messageId, unsubscriptions }: UnsubscribePacket): void {
    const { subscriber } = dialogue
    if (subscriber === undefined) return
    const { index, store } = this.#parts
    const held = [...new Set(unsubscriptions)].filter((filter) => subscriber.filters.has(filter))
    for (const filter of held) {
      index.remove(filter, subscriber)
      subscriber.filters.delete(filter)
      if (subscriber instanceof Session) store.dropSubscription(subscriber.clientId, filter)
    }
    // [MQTT-3.10.4-5]: answered also where nothing was held.
    this.#whenStored(dialogue, subscriber instanceof Session && held.length > 0, () => {
      dialogue.connection.send(encodeUnsuback(messageId))
    })
  }

  #add(subscriber: Subscriber<P>, { topic, qos }: WantedFilter): void {
    // [MQTT-3.8.4-3]: the same filter again replaces the earlier one.
    subscriber.filters.set(topic, qos)
    this.#parts.index.add(topic, subscriber, qos)
    if (subscriber instanceof Session) this.#parts.store.putSubscription(subscriber.clientId, { topic, qos })
  }

  #whenStored({ connection }: Dialogue<P>, hasStored: boolean, answer: () => void): void {
    if (!hasStored) {
      answer()
      return
    }
    connection.hold('control')
    this.#parts.store
      .committed()
      .then(() => {
        answer()
        connection.release('control')
      })
      .catch(() => {
        connection.close('store-full')
      })
  }

  /** One sender for each connection, so that whoever subscribes without reading makes no more than one wait. */
  #wantRetained(dialogue: Dialogue<P>, subscriber: Subscriber<P>, granted: ReadonlyMap<string, Qos>): void {
    if (this.#parts.retained.isEmpty) return
    for (const [topic, qos] of granted) dialogue.retainedWanted.set(topic, qos)
    if (dialogue.isSendingRetained) return
    dialogue.isSendingRetained = true
    this.#sendRetained(dialogue, subscriber)
      .catch((err: unknown) => {
        this.#parts.log.error({ err }, 'retained messages were not sent')
        dialogue.close('store-full')
      })
      .finally(() => {
        dialogue.isSendingRetained = false
      })
  }

  async #sendRetained(dialogue: Dialogue<P>, subscriber: Subscriber<P>): Promise<void> {
    const { retained, publishing } = this.#parts
    const isGone = (): boolean => !dialogue.connection.isOpen
    const isBehind = (): boolean => !isGone() && !subscriber.isReady
    while (dialogue.retainedWanted.size > 0) {
      const messages = retained.matching([...dialogue.retainedWanted].map(([topic, qos]) => ({ topic, qos })))
      dialogue.retainedWanted.clear()
      while (isBehind()) await sleep(BEHIND_LOOK_MS)
      for await (const { message, qos } of messages) {
        if (isGone()) return
        publishing.hand(message, subscriber, qos)
        // Before the next is taken: one that waits here in our hand could be older than what went out live meanwhile.
        while (isBehind()) await sleep(BEHIND_LOOK_MS)
      }
    }
  }
}
