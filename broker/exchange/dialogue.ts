import type { Aedes, Client } from 'aedes'
import type { CloseReason, Connection, ConnectionEvents } from '../connection/connection.ts'
import { Lifeline } from '../connection/lifeline.ts'
import type { Qos } from '../delivery/message.ts'
import type { Acknowledgement, Subscriber } from '../delivery/subscriber.ts'
import type { Principal } from '../policy.ts'
import type {
  ConnectPacket,
  DisconnectPacket,
  InPacket,
  PublishPacket,
  SubscribePacket,
  UnsubscribePacket,
  WireFault,
} from '../wire/index.ts'

const CONNACK = 0x20
/** A return code (MQTT 3.1.1, 3.2.2.3). */
const UNAVAILABLE = 3
const PINGRESP = Buffer.from([0xd0, 0x00])

/** What a dialogue asks of the broker. */
export interface Counterpart<P extends Principal> {
  readonly aedes: Aedes
  publish(dialogue: Dialogue<P>, packet: PublishPacket): void
  /** A PUBREL: the peer's QoS 2 message is done. */
  release(dialogue: Dialogue<P>, messageId: number): void
  subscribe(dialogue: Dialogue<P>, packet: SubscribePacket): void
  unsubscribe(dialogue: Dialogue<P>, packet: UnsubscribePacket): void
  /** The login was granted and an earlier connection of this client id is closed; answers with `welcome`. */
  entered(dialogue: Dialogue<P>): void
  /** A DISCONNECT was read; it may be carried out later. */
  goodbye(dialogue: Dialogue<P>): void
  fault(dialogue: Dialogue<P>, fault: { readonly reason: string; readonly clause: string }): void
  left(dialogue: Dialogue<P>, reason: CloseReason): void
}

/**
 * What is said over one connection. Each packet goes where it is worked on: CONNECT and DISCONNECT to aedes, which
 * knows take-over and wills; messages, acknowledgements and subscriptions to our own parts.
 */
export class Dialogue<P extends Principal> implements ConnectionEvents {
  readonly openedAt = performance.now()
  /** Set once the CONNECT has come. */
  connect: ConnectPacket | undefined
  client: Client | undefined
  /** Set once the login was granted. */
  principal: P | undefined
  /** Set once the login was granted and the client id is this connection's. */
  subscriber: Subscriber<P> | undefined
  /** The client id was taken from a stored session. */
  sessionPresent = false
  /** The policy refuses its will, or it may not have one any more. */
  willRefused = false
  /** It said goodbye, or was never let in: its will is nobody's [MQTT-3.14.4-3]. */
  willForgotten = false
  /** Filters whose retained messages are to be sent after those that are being sent. */
  readonly retainedWanted = new Map<string, Qos>()
  isSendingRetained = false
  /** Published messages that wait for the disk. */
  pending = 0
  /** Monotonic, ms: since when the oldest of them waits. */
  pendingSince = 0
  /** QoS 2 message ids that were received on this connection and not released, and whether their PUBREC is out. */
  readonly unreleased = new Map<number, 'storing' | 'answered'>()
  readonly #counterpart: Counterpart<P>
  #connection: Connection | undefined
  #lifeline: Lifeline | undefined
  #afterPending: (() => void) | undefined
  /** Why aedes lets go, where we know. */
  #reason: CloseReason | undefined

  constructor(counterpart: Counterpart<P>) {
    this.#counterpart = counterpart
  }

  /** Begins; the connection must have been made with this as its events. */
  begin(connection: Connection): void {
    this.#connection = connection
  }

  get connection(): Connection {
    if (this.#connection === undefined) throw new Error('the dialogue has not begun')
    return this.#connection
  }

  get clientId(): string {
    return this.client?.id ?? ''
  }

  /** CONNECT with clean session 1: nothing outlives the connection. */
  get isClean(): boolean {
    return this.connect?.clean ?? true
  }

  /** Its login leaves something on the disk: a session, or a will. */
  get isKept(): boolean {
    return !this.isClean || (this.connect?.will !== undefined && !this.willRefused)
  }

  onPacket(packet: InPacket): void {
    switch (packet.cmd) {
      case 'publish':
        this.#counterpart.publish(this, packet)
        break
      case 'puback':
      case 'pubrec':
      case 'pubcomp':
        this.#acknowledged(packet.cmd, packet.messageId)
        break
      case 'pubrel':
        this.#released(packet.messageId)
        break
      case 'pingreq':
        this.connection.send(PINGRESP)
        break
      case 'disconnect':
        // At once, because the peer may be gone before what it sent earlier is stored.
        this.#forgetWill()
        this.#control(packet)
        break
      case 'connect':
      case 'subscribe':
      case 'unsubscribe':
        this.#control(packet)
    }
  }

  #acknowledged(kind: Acknowledgement, messageId: number): void {
    if (this.subscriber?.acknowledged(kind, messageId) !== false) return
    this.#counterpart.fault(this, { reason: 'out-of-turn', clause: '[MQTT-4.3.3-1]' })
    this.close('protocol')
  }

  onFault(fault: WireFault): void {
    this.#counterpart.fault(this, fault)
  }

  onDrained(): void {
    this.subscriber?.resume()
  }

  /**
   * Asked when the connection is at its end: is its will nobody's? A DISCONNECT may wait unread behind messages for which
   * there is no room on the disk.
   */
  hearGoodbye(): boolean {
    if (!this.willForgotten && this.connection.saidGoodbye) this.#forgetWill()
    return this.willForgotten
  }

  /** [MQTT-3.14.4-3] */
  #forgetWill(): void {
    this.willForgotten = true
    this.#counterpart.goodbye(this)
  }

  onClosed(reason: CloseReason): void {
    this.#afterPending = undefined
    // Before aedes hears of the end, and publishes the will.
    this.hearGoodbye()
    this.#counterpart.left(this, reason)
    this.#lifeline?.destroy()
  }

  /** aedes has answered the CONNECT. */
  answered(returnCode: number): void {
    if (returnCode === 0) {
      this.#counterpart.entered(this)
      return
    }
    this.#reason = 'refused'
    this.#refuse(returnCode)
  }

  /** Answers a login that was granted with `server unavailable`, as nothing can be stored, and closes. */
  turnAway(): void {
    this.willForgotten = true
    this.#refuse(UNAVAILABLE)
    this.close('store-full')
  }

  #refuse(returnCode: number): void {
    this.connection.send(Buffer.from([CONNACK, 0x02, 0, returnCode])) // [MQTT-3.2.2-4]
  }

  /** Sends the CONNACK of a login that was granted; from now on the peer is listened to. */
  welcome(): void {
    this.connection.send(Buffer.from([CONNACK, 0x02, this.sessionPresent ? 1 : 0, 0]))
    this.connection.release('control')
  }

  /** One more published message waits for the disk. */
  waits(): void {
    if (this.pending === 0) this.pendingSince = performance.now()
    this.pending += 1
  }

  /** One fewer does. */
  stored(): void {
    this.pending -= 1
    this.pendingSince = performance.now()
    if (this.pending > 0) return
    const work = this.#afterPending
    this.#afterPending = undefined
    if (work === undefined) return
    work()
    this.connection.release('order')
  }

  close(reason: CloseReason): void {
    this.connection.close(reason)
  }

  /** These packets wait until the messages before them are stored and routed: what they see must hold them. */
  #control(packet: ConnectPacket | DisconnectPacket | SubscribePacket | UnsubscribePacket): void {
    this.#afterStoring(() => {
      this.#carryOut(packet)
    })
  }

  /**
   * Released before its PUBREC is sent, the id would be held again by the storing, and the next message with it taken for
   * a repetition [MQTT-4.3.3-2].
   */
  #released(messageId: number): void {
    const release = (): void => {
      this.#counterpart.release(this, messageId)
    }
    if (this.unreleased.get(messageId) === 'storing') this.#afterStoring(release)
    else release()
  }

  #afterStoring(work: () => void): void {
    if (this.pending === 0) {
      work()
      return
    }
    this.connection.hold('order')
    this.#afterPending = work
  }

  #carryOut(packet: ConnectPacket | DisconnectPacket | SubscribePacket | UnsubscribePacket): void {
    if (!this.connection.isOpen) return
    switch (packet.cmd) {
      case 'connect':
        this.#connect(packet)
        break
      case 'disconnect':
        // [MQTT-3.14.4-3]: aedes forgets the will.
        this.#reason = 'disconnect'
        this.connection.hold('control')
        this.#lifeline?.give(packet)
        break
      case 'subscribe':
        this.#counterpart.subscribe(this, packet)
        break
      case 'unsubscribe':
        this.#counterpart.unsubscribe(this, packet)
        break
    }
  }

  #connect(packet: ConnectPacket): void {
    this.connect = packet
    this.connection.hold('control')
    const lifeline = new Lifeline(() => {
      this.connection.close(this.#reason ?? 'taken-over')
    })
    this.#lifeline = lifeline
    DIALOGUES.set(lifeline, this)
    this.client = this.#counterpart.aedes.handle(lifeline)
    lifeline.attach(this.client)
    lifeline.give(packet)
  }
}

const DIALOGUES = new WeakMap<object, Dialogue<Principal>>()

/** The dialogue behind an aedes client. */
export const dialogueOf = <P extends Principal>(client: Client): Dialogue<P> | undefined =>
  DIALOGUES.get(client.conn) as Dialogue<P> | undefined
