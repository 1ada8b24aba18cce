import { setTimeout as sleep } from 'node:timers/promises'
import type { FilterIndex } from '../delivery/filter-index.ts'
import type { Message, Qos } from '../delivery/message.ts'
import { Session } from '../delivery/session.ts'
import type { Subscriber } from '../delivery/subscriber.ts'
import type { BrokerLog } from '../log.ts'
import type { MessageStore } from '../persistence/index.ts'
import type { Principal } from '../policy.ts'
import { filterMatches } from '../topics.ts'
import type { SubscribePacket, UnsubscribePacket } from '../wire/index.ts'
import { encodeSuback, encodeUnsuback } from './answers.ts'
import type { Dialogue } from './dialogue.ts'
import type { Gate } from './gate.ts'
import type { Publishing } from './publishing.ts'
import type { RetainedMessages } from './retained.ts'

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
  readonly log: BrokerLog
}

interface Granted {
  readonly topic: string
  readonly qos: Qos
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
    const codes: number[] = []
    const granted: Granted[] = []
    // [MQTT-3.8.4-5]: one code for each filter, in order, also where one comes twice.
    for (const { topic, qos } of subscriptions) {
      const isGranted = this.#parts.gate.maySubscribe(dialogue, subscriber, topic)
      codes.push(isGranted ? qos : REFUSED)
      if (!isGranted) continue
      granted.push({ topic, qos })
      this.#add(subscriber, { topic, qos })
    }
    const hasStored = subscriber instanceof Session && granted.length > 0
    this.#whenStored(dialogue, hasStored, () => {
      dialogue.connection.send(encodeSuback(messageId, codes))
      if (granted.length > 0) this.#wantRetained(dialogue, subscriber, granted)
    })
  }

  unsubscribe(dialogue: Dialogue<P>, { messageId, unsubscriptions }: UnsubscribePacket): void {
    const { subscriber } = dialogue
    if (subscriber === undefined) return
    const { index, store } = this.#parts
    const held = unsubscriptions.filter((filter) => subscriber.filters.has(filter))
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

  #add(subscriber: Subscriber<P>, { topic, qos }: Granted): void {
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
  #wantRetained(dialogue: Dialogue<P>, subscriber: Subscriber<P>, granted: readonly Granted[]): void {
    if (this.#parts.retained.isEmpty) return
    for (const { topic, qos } of granted) dialogue.retainedWanted.set(topic, qos)
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
    const isGone = (): boolean => !dialogue.connection.isOpen
    while (dialogue.retainedWanted.size > 0) {
      const granted = [...dialogue.retainedWanted].map(([topic, qos]) => ({ topic, qos }))
      dialogue.retainedWanted.clear()
      for await (const message of this.#parts.retained.matching(granted.map(({ topic }) => topic))) {
        while (!isGone() && !subscriber.isReady) await sleep(BEHIND_LOOK_MS)
        if (isGone()) return
        this.#parts.publishing.hand(message, subscriber, qosOf(message, granted))
      }
    }
  }
}

function qosOf(message: Message, granted: readonly Granted[]): Qos {
  const matching = granted.filter(({ topic }) => filterMatches(topic, message.topic)).map(({ qos }) => qos)
  return Math.min(message.qos, Math.max(0, ...matching)) as Qos
}
