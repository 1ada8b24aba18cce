import { Message, type Qos } from '../delivery/message.ts'
import type { FilterIndex } from '../delivery/filter-index.ts'
import { Session } from '../delivery/session.ts'
import type { Subscriber } from '../delivery/subscriber.ts'
import type { BrokerLimits } from '../limits.ts'
import type { Traffic } from '../metering/traffic.ts'
import type { CommitWriter, MessageStore } from '../persistence/index.ts'
import type { Principal } from '../policy.ts'
import { encodeAck, type PublishPacket } from '../wire/index.ts'
import type { ClientMessage, LocalMessage } from '../broker.ts'
import type { Counts } from './counts.ts'
import type { Dialogue } from './dialogue.ts'
import type { Gate } from './gate.ts'
import { Pace } from './pace.ts'
import type { RetainedMessages } from './retained.ts'

/** One subscriber that gets a message, and the row it has in the stored queue (0 = none). */
interface Target<P extends Principal> {
  readonly subscriber: Subscriber<P>
  readonly qos: Qos
  readonly seq: number
}

/** A message of a client that is being stored. */
interface Pending<P extends Principal> {
  readonly dialogue: Dialogue<P>
  readonly message: Message
  readonly messageId: number
  readonly targets: readonly Target<P>[]
  /** One for each time it came. */
  answers: number
}

interface PublishingParts<P extends Principal> {
  readonly gate: Gate<P>
  readonly index: FilterIndex<Subscriber<P>>
  readonly store: MessageStore
  readonly writer: CommitWriter
  readonly retained: RetainedMessages
  readonly traffic: Traffic
  readonly limits: BrokerLimits
  readonly counts: Counts
}

/** Changes that may wait for the next window of the writer. */
const CHANGES_WAITING_MAX = 1_000

const LIVE = { retain: false, seq: 0 } as const

/**
 * Messages on their way through the broker. A client's QoS 1 or 2 message is answered only when one transaction holds
 * the message, its meter and its rows in the queues of stored sessions; then it is delivered to whoever is there. The
 * policy is asked for the publisher and for each receiver.
 */
export class Publishing<P extends Principal> {
  readonly #parts: PublishingParts<P>
  readonly #listeners = new Set<(message: ClientMessage<P>) => void>()
  /** In the order of their storing. */
  #pending: Pending<P>[] = []
  #pendingBytes = 0
  /** Sessions that got rows since the last commit. */
  readonly #touched = new Set<Session<P>>()
  #commitAsked = false
  /** Publishers whose reading waits because all together wait for too much. */
  readonly #held = new Set<Dialogue<P>>()
  readonly #pace = new Pace<P>()

  constructor(parts: PublishingParts<P>) {
    this.#parts = parts
    parts.writer.join({ name: 'broker publishing', write: () => this.#inTransaction() })
  }

  get pendingMessages(): number {
    return this.#pending.length
  }

  onMessage(listener: (message: ClientMessage<P>) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** A PUBLISH of a client. */
  take(dialogue: Dialogue<P>, packet: PublishPacket): void {
    const { principal } = dialogue
    if (principal === undefined) return
    const { counts, gate, traffic } = this.#parts
    if (this.#isRepeated(dialogue, packet)) {
      traffic.received(principal.id, packet, 'held')
      const messageId = packet.messageId ?? 0
      this.#repeat(dialogue, messageId)
      return
    }
    if (!gate.mayPublish(dialogue, packet)) {
      traffic.received(principal.id, packet, 'refused')
      // Acknowledged, so that a misconfigured device does not reconnect for ever; nobody gets it.
      this.#answer(dialogue, packet.qos, packet.messageId ?? 0)
      return
    }
    counts.published += 1
    const { topic, qos, retain } = packet
    const message = new Message({ topic, payload: packet.payload, qos, retain })
    if (qos === 0) {
      traffic.received(principal.id, packet, 'new')
      this.#once(message, principal, dialogue.clientId)
    } else {
      const how = this.#isHeld(dialogue, packet) ? 'held' : 'new'
      const isTaken = this.#store(dialogue, message, packet.messageId ?? 0)
      traffic.received(principal.id, packet, isTaken ? how : 'refused')
    }
  }

  /** A PUBREL of a client: the message is done and its id is free [MQTT-4.3.3-2]. */
  release(dialogue: Dialogue<P>, messageId: number): void {
    const { store } = this.#parts
    const pubcomp = encodeAck('pubcomp', messageId)
    const wasHeld = dialogue.unreleased.delete(messageId)
    if (dialogue.isClean) {
      dialogue.connection.send(pubcomp)
      return
    }
    if (wasHeld || store.holdsIncoming(dialogue.clientId, messageId))
      store.releaseIncoming(dialogue.clientId, messageId)
    // Also where it comes again before the first is on the disk. If the id were still held after a crash, the next message with it would be taken for a repetition.
    store
      .committed()
      .then(() => {
        dialogue.connection.send(pubcomp)
      })
      .catch(() => {
        dialogue.close('store-full')
      })
  }

  /** A message from inside or a will: nobody waits for its storing. */
  inside(
    given: Omit<LocalMessage, 'qos'> & { readonly qos: Qos },
    { keepRetained }: { readonly keepRetained: boolean },
  ): void {
    const { payload, topic, qos, retain } = given
    const message = new Message({ topic, payload: asBuffer(payload), qos, retain })
    this.#parts.counts.published += 1
    this.#retain(message, keepRetained)
    const targets = this.#targets(message)
    this.#enqueue(message, targets)
    for (const target of targets) this.#deliver(message, target)
  }

  /** What an earlier run committed and perhaps never passed on; duplicates are possible, losses are not. */
  replay(principalOf: (id: string) => P | undefined): void {
    for (const { principalId, clientId, ...message } of this.#parts.store.unrouted()) {
      const principal = principalOf(principalId)
      if (principal !== undefined) this.#tell(new Message(message), principal, clientId)
    }
    this.#parts.store.routed()
  }

  /** A retained message for a subscriber that has just subscribed. */
  hand(message: Message, subscriber: Subscriber<P>, qos: Qos): void {
    const { gate, store } = this.#parts
    if (!gate.mayReceive(subscriber.principal, message.topic)) return
    let seq = 0
    if (qos > 0 && subscriber instanceof Session) {
      seq = subscriber.reserve(message)
      const { topic, payload } = message
      const row = { clientId: subscriber.clientId, seq, qos: qos as 1 | 2 }
      store.enqueue({ topic, payload, qos, retain: true }, [row])
      this.#touched.add(subscriber as Session<P>)
      this.#askCommit()
    }
    subscriber.deliver(message, qos, { retain: true, seq })
  }

  #once(message: Message, principal: P, clientId: string): void {
    this.#retain(message, true)
    // QoS 0 waits for nothing, but what it leaves behind must not grow without end before the next commit.
    if (message.retain && this.#parts.store.figures.waiting > CHANGES_WAITING_MAX) this.#askCommit()
    for (const { subscriber, qos } of this.#parts.index.match(message.topic))
      if (this.#parts.gate.mayReceive(subscriber.principal, message.topic))
        subscriber.deliver(message, Math.min(message.qos, qos) as Qos, LIVE)
    this.#tell(message, principal, clientId)
  }

  #store(dialogue: Dialogue<P>, message: Message, messageId: number): boolean {
    const { store, limits, counts } = this.#parts
    const { clientId, principal } = dialogue
    if (message.qos === 2 && !this.#holdIncoming(dialogue, messageId)) return false
    const targets = this.#targets(message)
    const { topic, payload, qos, retain } = message
    store.journal({ topic, payload, qos, retain, principalId: principal?.id ?? '', clientId, messageId })
    this.#retain(message, true)
    this.#enqueue(message, targets)
    this.#pending.push({ dialogue, message, messageId, targets, answers: 1 })
    this.#pendingBytes += message.size
    dialogue.waits()
    for (const { subscriber, qos } of targets) {
      if (qos > 0) subscriber.expect(1)
      this.#pace.consider(dialogue, subscriber)
    }
    this.#askCommit()
    const isFull = dialogue.pending >= limits.inflightIn
    const areFull = this.#pendingBytes >= limits.inflightInBytes
    if (isFull) counts.bounds.met('inflightIn', clientId)
    if (areFull) counts.bounds.met('inflightInBytes', clientId)
    if (isFull || areFull || this.#parts.writer.refused) {
      counts.paused += 1
      dialogue.connection.hold('inflight')
      this.#held.add(dialogue)
    }
    return true
  }

  /** False where the client may not leave any more messages unreleased; its connection is closed then. */
  #holdIncoming(dialogue: Dialogue<P>, messageId: number): boolean {
    if (dialogue.unreleased.size >= this.#parts.limits.unreleased) {
      this.#parts.counts.bounds.met('unreleased', dialogue.clientId)
      dialogue.close('protocol')
      return false
    }
    dialogue.unreleased.set(messageId, 'storing')
    if (!dialogue.isClean) this.#parts.store.holdIncoming(dialogue.clientId, messageId)
    return true
  }

  /** A QoS 2 message that was received and not yet released comes again [MQTT-4.3.3-2]. */
  #isRepeated(
    { unreleased, isClean, clientId }: Dialogue<P>,
    { qos, messageId = 0 }: PublishPacket,
  ): boolean {
    if (qos !== 2) return false
    return unreleased.has(messageId) || (!isClean && this.#parts.store.holdsIncoming(clientId, messageId))
  }

  /** Each time has a PUBREC of its own [MQTT-4.3.3-2]; of a message that is being stored they come when it is. */
  #repeat(dialogue: Dialogue<P>, messageId: number): void {
    const pending =
      dialogue.unreleased.get(messageId) === 'storing'
        ? this.#pending.findLast(
            (one) => one.dialogue === dialogue && one.messageId === messageId && one.message.qos === 2,
          )
        : undefined
    if (pending === undefined) this.#answer(dialogue, 2, messageId)
    else pending.answers += 1
  }

  /** A QoS 1 message that is on the disk and whose PUBACK was lost: a message again [MQTT-4.3.2-2], but not for the meter. */
  #isHeld({ clientId }: Dialogue<P>, { dup, qos, messageId = 0, payload, topic }: PublishPacket): boolean {
    return dup && qos === 1 && this.#parts.store.holdsPublish({ clientId, messageId, topic, payload })
  }

  #retain(message: Message, keep: boolean): void {
    if (!message.retain) return
    const { retained, counts } = this.#parts
    if (retained.put(message, keep)) return
    counts.droppedRetained += 1
    counts.bounds.met(retained.isFull ? 'retainedTopics' : 'retainedBytes', message.topic)
  }

  /** Who gets it, decided now; rows are reserved in the queues of stored sessions. */
  #targets(message: Message): Target<P>[] {
    const targets: Target<P>[] = []
    for (const { subscriber, qos } of this.#parts.index.match(message.topic)) {
      if (!this.#parts.gate.mayReceive(subscriber.principal, message.topic)) continue
      const effective = Math.min(message.qos, qos) as Qos
      const seq = effective > 0 && subscriber instanceof Session ? subscriber.reserve(message) : 0
      targets.push({ subscriber, qos: effective, seq })
    }
    return targets
  }

  #enqueue(message: Message, targets: readonly Target<P>[]): void {
    const rows: { clientId: string; seq: number; qos: 1 | 2 }[] = []
    for (const { subscriber, qos, seq } of targets) {
      if (seq === 0 || !(subscriber instanceof Session)) continue
      rows.push({ clientId: subscriber.clientId, seq, qos: qos as 1 | 2 })
      this.#touched.add(subscriber as Session<P>)
    }
    if (rows.length === 0) return
    const { topic, payload, qos } = message
    this.#parts.store.enqueue({ topic, payload, qos, retain: false }, rows)
    this.#parts.writer.wake()
  }

  /** The disk may have taken its time, and a right may have gone meanwhile. */
  #deliverStored(message: Message, target: Target<P>): void {
    if (this.#parts.gate.mayReceive(target.subscriber.principal, message.topic))
      this.#deliver(message, target)
  }

  #deliver(message: Message, { subscriber, qos, seq }: Target<P>): void {
    subscriber.deliver(message, qos, seq === 0 ? LIVE : { retain: false, seq })
  }

  #tell(message: Message, principal: P, clientId: string): void {
    if (this.#listeners.size === 0) return
    const { topic, payload, retain } = message
    const qos = message.qos === 0 ? 0 : 1
    const told = { topic, payload: Buffer.from(payload), qos, retain, principal, clientId } as const
    for (const listener of this.#listeners) this.#parts.gate.guarded(() => (listener(told), true))
  }

  #answer({ connection }: Dialogue<P>, qos: Qos, messageId: number): void {
    if (qos === 1) connection.send(encodeAck('puback', messageId))
    if (qos === 2) connection.send(encodeAck('pubrec', messageId))
  }

  #askCommit(): void {
    if (this.#commitAsked) return
    this.#commitAsked = true
    // Rejects only when the store is gone for good; then nobody is answered and each publisher is closed in time.
    this.#parts.writer.commitSoon().catch(() => undefined)
  }

  /** Within the transaction that the store has written everything into; answers what to do when it is committed. */
  #inTransaction(): () => void {
    const upTo = this.#pending.length
    const touched = [...this.#touched].map((session) => ({ session, last: session.last }))
    return () => {
      this.#commitAsked = false
      this.#committed(upTo)
      for (const { session, last } of touched) {
        if (session.last === last) this.#touched.delete(session)
        session.settled(last)
      }
      if (this.#pending.length > 0) this.#askCommit()
    }
  }

  #committed(upTo: number): void {
    const done = upTo === this.#pending.length ? this.#pending : this.#pending.slice(0, upTo)
    this.#pending = this.#pending.slice(upTo)
    for (const { dialogue, message, messageId, targets, answers } of done) {
      this.#pendingBytes -= message.size
      for (const target of targets) {
        this.#deliverStored(message, target)
        if (target.qos > 0) target.subscriber.expect(-1)
        this.#pace.judge(target.subscriber)
      }
      if (dialogue.principal !== undefined) this.#tell(message, dialogue.principal, dialogue.clientId)
      if (message.qos === 2) dialogue.unreleased.set(messageId, 'answered')
      for (let n = 0; n < answers; n += 1) this.#answer(dialogue, message.qos, messageId)
      dialogue.stored()
    }
    if (done.length > 0) this.#parts.store.routed()
    for (const dialogue of this.#held) {
      this.#held.delete(dialogue)
      dialogue.connection.release('inflight')
    }
  }
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
