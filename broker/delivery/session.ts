import type { Bound } from '../bounds.ts'
import type { BrokerLimits } from '../limits.ts'
import type { Dropped, MessageStore, QueuedMessage, StoredSession } from '../persistence/index.ts'
import type { Principal } from '../policy.ts'
import type { Message, Qos } from './message.ts'
import type { DeliveryCounts, Outgoing } from './outgoing.ts'
import { StoredQueue } from './stored-queue.ts'
import type { Giving, StoredRoom } from './stored-room.ts'
import type { Acknowledgement, Subscriber } from './subscriber.ts'

const MESSAGE_ID_MAX = 65_535
/** The part of a queue's bounds that may be under way. */
const WINDOW_PART = 0.5
/** Stands for a row number that nobody wrote down. */
const SENT_UNKNOWN = Number.MAX_SAFE_INTEGER
/** What waited follows its CONNACK so much later, ms. */
const RESUME_AFTER_MS = 5

interface Inflight {
  readonly seq: number
  readonly bytes: number
  expected: Acknowledgement
  /** It is on the disk that PUBREC came: PUBREL may go out. */
  isReleased: boolean
}

interface SessionParts<P> {
  readonly stored: StoredSession
  readonly principal: P | undefined
  readonly store: MessageStore
  readonly limits: BrokerLimits
  readonly counts: DeliveryCounts
  readonly room: StoredRoom
  /** Asked for each message as it leaves: a right may have gone while it waited. */
  readonly mayReceive: (principal: P | undefined, topic: string) => boolean
}

/**
 * A stored session (CONNECT with clean session 0), connected or not. Its QoS 1 and 2 messages are rows in the store
 * from before their publisher was answered until this client has acknowledged them. In memory is only the window. The
 * message id follows from the row's number, so the same message keeps its id through reconnects and restarts
 * [MQTT-4.4.0-1].
 */
export class Session<P extends Principal> implements Subscriber<P>, Giving {
  principal: P | undefined
  readonly principalId: string
  readonly filters: Map<string, Qos>
  readonly #store: MessageStore
  readonly #queue: StoredQueue
  readonly #limits: BrokerLimits
  readonly #counts: DeliveryCounts
  readonly #mayReceive: (principal: P | undefined, topic: string) => boolean
  readonly #inflight = new Map<number, Inflight>()
  #inflightBytes = 0
  #outgoing: Outgoing | undefined
  #isResuming = false
  /** Everything up to here has been sent on this connection. */
  #sent: number
  /** Everything up to here may have been sent on an earlier one. */
  #sentBefore: number
  /** Everything up to here was sent before and is in the registers. */
  #metered: number
  taken = 0

  constructor(parts: SessionParts<P>) {
    const { stored, principal, store, limits, counts, mayReceive } = parts
    this.#queue = new StoredQueue(parts)
    this.principalId = stored.principalId
    this.principal = principal
    this.filters = new Map(stored.filters.map(({ topic, qos }) => [topic, qos]))
    this.#store = store
    this.#limits = limits
    this.#counts = counts
    this.#mayReceive = mayReceive
    this.#sent = Math.min(stored.sent, stored.last)
    this.#sentBefore = this.#sent
    this.#metered = stored.metered
  }

  get clientId(): string {
    return this.#queue.clientId
  }

  get isConnected(): boolean {
    return this.#outgoing !== undefined
  }

  /** Messages that wait or are under way. */
  get count(): number {
    return this.#queue.count
  }

  get bytes(): number {
    return this.#queue.bytes
  }

  /** Takes the next row number for a message that is being stored; makes room where there is none. */
  reserve(message: Message): number {
    return this.#queue.reserve(message, this.keepUpTo)
  }

  /** All sessions together have too much. */
  giveWay(needed: Readonly<Dropped>): Readonly<Dropped> {
    return this.#queue.giveUp(needed, { keepUpTo: this.keepUpTo, bound: 'offlineTotalBytes' })
  }

  deliver(
    message: Message,
    qos: Qos,
    { retain, seq }: { readonly retain: boolean; readonly seq: number },
  ): void {
    const outgoing = this.#outgoing
    if (outgoing === undefined) return
    if (qos === 0) {
      outgoing.once(message, retain)
      return
    }
    // Straight from memory where nothing is before it; all else comes from the store, in order [MQTT-4.6.0-6].
    if (seq !== this.#sent + 1 || this.#inflight.has(idOf(seq))) return
    if (this.#maySend(outgoing)) {
      const { topic, payload } = message
      this.#send(outgoing, { seq, topic, payload, qos, retain, released: false })
    } else if (this.#inflight.size >= this.#limits.inflightOut) {
      this.#counts.bounds.met('inflightOut', this.clientId)
    }
  }

  /** Begins to send on a connection. All that was noted of this session must be committed. */
  attach(outgoing: Outgoing): void {
    this.#outgoing = outgoing
    this.#inflight.clear()
    this.#inflightBytes = 0
    this.#queue.rewind()
    this.#sentBefore = Math.max(this.#sentBefore, this.#sent)
    this.#sent = 0
    // Nobody writes after each message how far it has got: while connected, any row may have been sent.
    this.#store.noteSent(this.clientId, SENT_UNKNOWN)
    // Many a client begins to listen for messages only when it has seen its CONNACK.
    this.#isResuming = true
    setTimeout(() => {
      if (this.#outgoing === outgoing) this.#resumeNow()
    }, RESUME_AFTER_MS)
  }

  #resumeNow(): void {
    this.#isResuming = false
    this.fill()
  }

  detach(): void {
    this.#outgoing = undefined
    this.#queue.rewind()
    this.#sentBefore = Math.max(this.#sentBefore, this.#sent)
    this.#store.noteSent(this.clientId, this.#sentBefore)
  }

  acknowledged(kind: Acknowledgement, messageId: number): boolean {
    // It answers what an earlier connection sent: that goes out again first, so that each answer has its message.
    if (this.#isResuming) this.#resumeNow()
    const inflight = this.#inflight.get(messageId)
    if (inflight === undefined) {
      // What has not been sent again yet will be, and is then answered again: a PUBREL now would make it a new one.
      if (kind === 'pubrec' && this.#sent === this.#queue.last) this.#outgoing?.pubrel(messageId)
      return true
    }
    if (kind === 'pubrec') return this.#received(inflight, messageId)
    if (inflight.expected !== kind) return false
    this.#inflight.delete(messageId)
    this.#inflightBytes -= inflight.bytes
    this.taken += 1
    this.#queue.settle(inflight.seq, inflight.bytes)
    this.fill()
    return true
  }

  get isReady(): boolean {
    const outgoing = this.#outgoing
    return (
      outgoing === undefined ||
      (this.#sent === this.#queue.last && outgoing.connection.backlog <= this.#limits.backlogBytes / 2)
    )
  }

  expect(): void {
    // Rows are counted from the moment they are reserved.
  }

  get isBehind(): boolean {
    const { offlineMessages, offlineBytes } = this.#limits
    return this.isConnected && (this.count > offlineMessages / 2 || this.bytes > offlineBytes / 2)
  }

  /** A commit has brought the rows up to here to the disk. */
  settled(seq: number): void {
    this.#queue.settled(seq)
    this.fill()
  }

  get last(): number {
    return this.#queue.last
  }

  /** Sends what waits in the store as far as the window goes. */
  fill(): void {
    const outgoing = this.#outgoing
    if (outgoing === undefined || this.#isResuming || this.#sent === this.#queue.last) return
    while (this.#maySend(outgoing)) {
      const next = this.#next()
      if (next === undefined) return
      if (this.#inflight.has(idOf(next.seq))) {
        // [MQTT-2.3.1-4]: the id is still in use, by a message that was never acknowledged. The rest waits for that.
        this.#queue.putBack(next)
        return
      }
      if (this.#mayReceive(this.principal, next.topic)) this.#send(outgoing, next)
      else this.#withhold(next)
    }
  }

  /** Rows that went from the store without having been acknowledged, because of this bound. */
  forgot(dropped: Readonly<Dropped>, bound: Bound): void {
    this.#queue.forgot(dropped, bound)
  }

  /** It is dropped from the store, with all that waits in it. */
  drop(): void {
    this.#queue.drop()
  }

  /** Number of the last row that is under way: up to there nothing may go. */
  get keepUpTo(): number {
    return this.#outgoing === undefined ? 0 : this.#sent
  }

  resume(): void {
    this.fill()
  }

  /** What waits is on the disk. */
  get waitingBytes(): number {
    return 0
  }

  #maySend(outgoing: Outgoing): boolean {
    const { inflightOut, offlineMessages, offlineBytes } = this.#limits
    // What is under way cannot be given up: it must leave room for what comes, or a client that never answers has it all.
    const most = Math.min(inflightOut, Math.ceil(offlineMessages * WINDOW_PART))
    const hasWindow = this.#inflight.size < most && this.#inflightBytes < offlineBytes * WINDOW_PART
    return hasWindow && outgoing.hasRoom
  }

  #next(): QueuedMessage | undefined {
    const next = this.#queue.next(this.#sent)
    // What is left of the numbers up to there has been acknowledged or dropped.
    if (next === undefined) this.#sent = Math.max(this.#sent, this.#queue.committed)
    return next
  }

  /** Not delivered, and gone for good: the right may come back, the message does not. */
  #withhold({ seq, payload, topic }: QueuedMessage): void {
    this.#sent = seq
    this.#queue.settle(seq, payload.length + topic.length)
  }

  #send(outgoing: Outgoing, row: QueuedMessage): void {
    const { seq, topic, payload, qos, retain, released } = row
    const messageId = idOf(seq)
    const expected = released ? 'pubcomp' : qos === 1 ? 'puback' : 'pubrec'
    const bytes = payload.length + topic.length
    this.#inflight.set(messageId, { seq, bytes, expected, isReleased: released })
    this.#inflightBytes += bytes
    this.#sent = seq
    // [MQTT-4.4.0-1]: what was received already is only released.
    if (released) {
      outgoing.pubrel(messageId)
      return
    }
    const isMetered = seq <= this.#metered
    const dup = seq <= this.#sentBefore
    outgoing.publish({ topic, payload, qos, retain, dup, messageId, isMetered })
    if (isMetered) return
    this.#metered = seq
    this.#store.noteMetered(this.clientId, seq)
  }

  /** PUBREL goes out only when a crash could not make the message go out again. */
  #received(inflight: Inflight, messageId: number): boolean {
    if (inflight.expected === 'puback') return false
    if (inflight.expected === 'pubcomp') {
      if (inflight.isReleased) this.#outgoing?.pubrel(messageId)
      return true
    }
    inflight.expected = 'pubcomp'
    this.#store.release(this.clientId, inflight.seq)
    const outgoing = this.#outgoing
    this.#store
      .committed()
      .then(() => {
        inflight.isReleased = true
        outgoing?.pubrel(messageId)
      })
      .catch(() => undefined)
    return true
  }
}

/** The message id of a row: the same through reconnects and restarts. */
const idOf = (seq: number): number => ((seq - 1) % MESSAGE_ID_MAX) + 1
