import type { Connection } from '../connection/connection.ts'
import type { Backlog } from '../connection/sending.ts'
import type { Bounds } from '../bounds.ts'
import type { BrokerLimits } from '../limits.ts'
import { encodeAck, encodePublish } from '../wire/index.ts'
import type { Message, Qos } from './message.ts'

/** Counts what deliveries cost and what bounds take away. */
export interface DeliveryCounts {
  delivered: number
  /** QoS 0 messages that a slow connection did not get. */
  droppedQos0: number
  /** Messages that went with a connection closed as too slow. */
  droppedQueued: number
  /** Messages that went because a stored session was full or they were too old. */
  droppedOffline: number
  redelivered: number
  readonly bounds: Bounds
}

/** A connection with no more than this waiting keeps up, whatever all together have, bytes. */
const BACKLOG_NOTED_BYTES = 32 * 1024

/** Is told of each packet as it is sent, for metering. */
export type OnSent = (topic: string, bytes: number, repeated: boolean) => void

interface OutgoingParts {
  readonly limits: BrokerLimits
  readonly counts: DeliveryCounts
  readonly onSent: OnSent
  readonly backlog: Backlog
}

/** Writes messages to one connection: encodes, counts, and drops QoS 0 where the peer does not keep up. */
export class Outgoing {
  readonly connection: Connection
  readonly limits: BrokerLimits
  readonly counts: DeliveryCounts
  readonly #onSent: OnSent
  readonly #total: Backlog

  constructor(connection: Connection, { limits, counts, onSent, backlog }: OutgoingParts) {
    this.connection = connection
    this.limits = limits
    this.counts = counts
    this.#onSent = onSent
    this.#total = backlog
  }

  /** Bytes of this connection that wait in memory before they are sent. */
  wait(bytes: number): void {
    this.#total.bytes += bytes
  }

  /** True where all together have too much to take and this one, with so much waiting, is among those behind. */
  isCrowded(waitingBytes: number): boolean {
    return (
      this.#total.bytes > this.limits.backlogTotalBytes &&
      waitingBytes + this.connection.backlog > BACKLOG_NOTED_BYTES
    )
  }

  /** False while the peer, or all peers together, have too much to take: this one then is among those behind. */
  get hasRoom(): boolean {
    const { backlog } = this.connection
    const { backlogBytes, backlogTotalBytes } = this.limits
    return backlog <= (this.#total.bytes > backlogTotalBytes ? BACKLOG_NOTED_BYTES : backlogBytes)
  }

  /** At QoS 0; dropped and counted where too much is on its way already. */
  once(message: Message, retain = false): void {
    if (!this.hasRoom) {
      this.counts.droppedQos0 += 1
      const isOwn = this.connection.backlog > this.limits.backlogBytes
      this.counts.bounds.met(isOwn ? 'backlogBytes' : 'backlogTotalBytes', this.connection.peer.remote)
      return
    }
    const { topic, payload } = message
    const frame = retain
      ? encodePublish({ topic, payload, qos: 0, retain, dup: false, messageId: 0 })
      : message.frame
    this.#sent(frame, topic, false)
  }

  publish(message: Outbound): void {
    if (message.dup) this.counts.redelivered += 1
    this.#sent(encodePublish(message), message.topic, message.isMetered)
  }

  pubrel(messageId: number): void {
    this.connection.send(encodeAck('pubrel', messageId))
  }

  #sent(frame: Buffer, topic: string, repeated: boolean): void {
    // What a closed connection is given goes nowhere.
    if (!this.connection.isOpen) return
    this.counts.delivered += 1
    this.connection.send(frame)
    this.#onSent(topic, frame.length, repeated)
  }
}

export interface Outbound {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: Qos
  readonly retain: boolean
  readonly dup: boolean
  readonly messageId: number
  /** It was sent before and counted as a message then. DUP says less: after a crash it may have been sent. */
  readonly isMetered: boolean
}
