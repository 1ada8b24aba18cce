import type { Bound } from '../bounds.ts'
import type { Principal } from '../policy.ts'
import type { Message, Qos } from './message.ts'
import type { Outgoing } from './outgoing.ts'
import type { Acknowledgement, Subscriber } from './subscriber.ts'

const MESSAGE_ID_MAX = 65_535
/** Messages sent from the front of what waits before the array is cut. */
const COMPACT_AT = 1_024

interface Waiting {
  readonly message: Message
  readonly qos: 1 | 2
  readonly retain: boolean
}

interface LiveParts<P> {
  readonly clientId: string
  readonly principal: P
  readonly outgoing: Outgoing
  /** Asked again for each message that had to wait. */
  readonly mayReceive: (principal: P, topic: string) => boolean
}

/**
 * A connection without a stored session (CONNECT with clean session 1). QoS 1 and 2 messages wait behind a window, in
 * memory and bounded; who does not keep up is closed, never waited for.
 */
export class LiveSubscriber<P extends Principal> implements Subscriber<P> {
  readonly clientId: string
  readonly principal: P
  readonly filters = new Map<string, Qos>()
  readonly #outgoing: Outgoing
  readonly #mayReceive: (principal: P, topic: string) => boolean
  /** What is expected for each message id that is under way. */
  readonly #inflight = new Map<number, 'puback' | 'pubrec' | 'pubcomp'>()
  #waiting: Waiting[] = []
  #first = 0
  #waitingBytes = 0
  #nextId = 1
  taken = 0
  #expected = 0

  constructor({ clientId, principal, outgoing, mayReceive }: LiveParts<P>) {
    this.clientId = clientId
    this.principal = principal
    this.#outgoing = outgoing
    this.#mayReceive = mayReceive
  }

  deliver(message: Message, qos: Qos, { retain }: { readonly retain: boolean }): void {
    if (qos === 0) {
      this.#outgoing.once(message, retain)
      return
    }
    const waiting = { message, qos, retain }
    if (this.#first === this.#waiting.length && this.#maySend()) {
      this.#send(waiting)
      return
    }
    const { counts, limits } = this.#outgoing
    if (this.#waitingMessages === 0 && this.#inflight.size >= limits.inflightOut)
      counts.bounds.met('inflightOut', this.clientId)
    message.keep()
    this.#waiting.push(waiting)
    this.#wait(message.size)
    const bound = this.#exceeded()
    if (bound === undefined) return
    const dropped = this.#waitingMessages + this.#inflight.size
    counts.droppedQueued += dropped
    counts.bounds.met(bound, this.clientId, dropped)
    this.#outgoing.connection.close('too-slow')
  }

  acknowledged(kind: Acknowledgement, messageId: number): boolean {
    const expected = this.#inflight.get(messageId)
    if (kind === 'pubrec') {
      // A PUBREC that comes again, or for a message that is settled, is answered again.
      if (expected === 'puback') return false
      if (expected === 'pubrec') this.#inflight.set(messageId, 'pubcomp')
      this.#outgoing.pubrel(messageId)
      return true
    }
    if (expected === undefined) return true
    if (expected !== kind) return false
    this.#inflight.delete(messageId)
    this.taken += 1
    this.#sendWaiting()
    return true
  }

  get isReady(): boolean {
    const { connection, limits } = this.#outgoing
    return this.#waitingMessages === 0 && connection.backlog <= limits.backlogBytes / 2
  }

  expect(more: number): void {
    this.#expected += more
  }

  get isBehind(): boolean {
    const { queuedMessages, queuedBytes } = this.#outgoing.limits
    const coming = this.#waitingMessages + this.#expected
    return coming > queuedMessages / 2 || this.#waitingBytes > queuedBytes / 2
  }

  /** The peer has taken what was sent. */
  resume(): void {
    this.#sendWaiting()
  }

  get waitingBytes(): number {
    return this.#waitingBytes
  }

  detach(): void {
    this.#wait(-this.#waitingBytes)
    this.#waiting = []
    this.#first = 0
  }

  /** What this subscriber has more of than it may. */
  #exceeded(): Bound | undefined {
    const { queuedMessages, queuedBytes } = this.#outgoing.limits
    if (this.#waitingMessages > queuedMessages) return 'queuedMessages'
    if (this.#waitingBytes > queuedBytes) return 'queuedBytes'
    return this.#outgoing.isCrowded(this.#waitingBytes) ? 'backlogTotalBytes' : undefined
  }

  get #waitingMessages(): number {
    return this.#waiting.length - this.#first
  }

  #wait(bytes: number): void {
    this.#waitingBytes += bytes
    this.#outgoing.wait(bytes)
  }

  #maySend(): boolean {
    return this.#inflight.size < this.#outgoing.limits.inflightOut && this.#outgoing.hasRoom
  }

  #sendWaiting(): void {
    while (this.#first < this.#waiting.length && this.#maySend()) {
      const next = this.#waiting[this.#first]
      this.#first += 1
      if (next === undefined) continue
      this.#wait(-next.message.size)
      if (this.#mayReceive(this.principal, next.message.topic)) this.#send(next)
    }
    if (this.#first === this.#waiting.length || this.#first >= COMPACT_AT) {
      this.#waiting = this.#waiting.slice(this.#first)
      this.#first = 0
    }
  }

  #send({ message, qos, retain }: Waiting): void {
    const messageId = this.#freeId()
    this.#inflight.set(messageId, qos === 1 ? 'puback' : 'pubrec')
    const { topic, payload } = message
    this.#outgoing.publish({ topic, payload, qos, retain, dup: false, messageId, isMetered: false })
  }

  /** [MQTT-2.3.1-4]: one that is not in use; the window is far smaller than what there is. */
  #freeId(): number {
    for (;;) {
      const id = this.#nextId
      this.#nextId = (id % MESSAGE_ID_MAX) + 1
      if (!this.#inflight.has(id)) return id
    }
  }
}
