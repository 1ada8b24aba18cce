import type { Duplex } from 'node:stream'
import type { Bounds } from '../bounds.ts'
import type { BrokerLimits } from '../limits.ts'
import type { Peer } from '../listen/index.ts'
import { type InPacket, PacketReader, WireFault } from '../wire/index.ts'
import { RateLimit } from './rate-limit.ts'
import { type Backlog, Sending } from './sending.ts'

/** Why the reading of a connection pauses; it goes on when none of them is left. */
export type Hold =
  /** A CONNECT, SUBSCRIBE or UNSUBSCRIBE is being worked on; what follows it waits. */
  | 'control'
  /** A packet that must see the effect of the messages before it waits for them. */
  | 'order'
  /** As many published messages as are allowed wait for the disk. */
  | 'inflight'
  /** A subscriber that takes messages fast is behind with this publisher's. */
  | 'pace'
  /** More than its share in this second. */
  | 'rate'
  /** More than its share in this turn of the event loop. */
  | 'turn'
  /** It does not read what it is answered. */
  | 'backlog'

/** Why a connection was closed; a label in the metrics. */
export type CloseReason =
  | 'client'
  | 'network'
  | 'disconnect'
  | 'protocol'
  | 'connect-timeout'
  | 'crowded-out'
  | 'keepalive'
  | 'refused'
  | 'taken-over'
  | 'too-slow'
  | 'store-full'
  | 'revoked'
  | 'memory'
  | 'shutdown'

export interface ConnectionEvents {
  /** One whole, well-formed packet. May hold the connection: then nothing more comes until the hold is released. */
  onPacket(packet: InPacket): void
  /** A packet that breaks the protocol; the connection is closed after this. */
  onFault(fault: WireFault): void
  /** The peer has taken all that was sent. */
  onDrained(): void
  /** Called once, at once. */
  onClosed(reason: CloseReason): void
}

/**
 * What one connection may have worked on in one turn of the event loop. The system hands over megabytes of one socket
 * before it looks at the next; without this a publisher at full speed would keep all others waiting.
 */
const TURN_PACKETS = 256
const TURN_BYTES = 32 * 1024
/** After the last bytes were handed over, the peer has this long to take them, ms. */
const LINGER_MS = 1_000

/**
 * One network connection: bytes in become packets, packets out become bytes. Knows nothing of sessions or rights.
 */
export class Connection {
  readonly peer: Peer
  /** Monotonic, ms: when something was received last. */
  heardAt: number
  readonly #stream: Duplex
  readonly #reader: PacketReader
  readonly #events: ConnectionEvents
  readonly #rate: RateLimit
  readonly #sending: Sending
  readonly #backlogMax: number
  readonly #bounds: Bounds
  readonly #holds = new Set<Hold>()
  #working = false
  /** The peer will send nothing more. */
  #ended = false
  /** Nor will it take anything. */
  #lost = false
  #paused = false
  #open = true
  #saidGoodbye: boolean | undefined

  constructor(stream: Duplex, peer: Peer, parts: ConnectionParts) {
    this.#stream = stream
    this.peer = peer
    this.#events = parts.events
    this.#sending = new Sending(stream, { total: parts.backlog, onTaken: this.#onTaken })
    this.#backlogMax = parts.limits.backlogBytes
    this.#bounds = parts.bounds
    const { limits } = parts
    this.#reader = new PacketReader({
      connectBytesMax: limits.connectBytes,
      packetBytesMax: limits.packetBytes,
    })
    this.#rate = new RateLimit(limits)
    this.heardAt = performance.now()
    stream.on('data', this.#onData)
    stream.on('end', this.#onEnd)
    stream.on('error', this.#onLost)
    stream.on('close', this.#onLost)
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** True while nothing is read. */
  get isHeld(): boolean {
    return this.#holds.size > 0
  }

  /** Bytes that wait for the peer to read. */
  get backlog(): number {
    return this.#sending.backlog
  }

  /** Sends whole packets with this turn's others. */
  send(frame: Buffer): void {
    this.#sending.send(frame)
  }

  /**
   * True where a DISCONNECT is among what has come in and was not worked on: the peer has said goodbye, however long the
   * packets before it wait. Asked when the connection is at its end: nothing more is worked on afterwards.
   */
  get saidGoodbye(): boolean {
    return (this.#saidGoodbye ??= this.#findGoodbye())
  }

  hold(reason: Hold): void {
    this.#holds.add(reason)
  }

  /** Goes on reading where this was the last reason to pause. */
  release(reason: Hold): void {
    if (this.#holds.delete(reason)) this.#work()
  }

  /** Sends what waits, then closes. What was received and not yet worked on is lost, but for a goodbye. Safe to call again. */
  close(reason: CloseReason): void {
    if (!this.#open) return
    const isLost = reason === 'network' || reason === 'too-slow'
    if (!isLost) this.#sending.flush()
    this.#open = false
    this.#sending.end()
    // What comes behind a packet that breaks the protocol is not read.
    this.#saidGoodbye ??= reason !== 'protocol' && this.#findGoodbye()
    if (isLost || this.#stream.destroyed) this.#stream.destroy()
    else this.#linger()
    this.#events.onClosed(reason)
  }

  /** Closing with unread bytes makes the kernel send a reset, and the peer may never see the last packet: so they are read. */
  #linger(): void {
    const stream = this.#stream
    stream.off('data', this.#onData)
    stream.on('data', () => undefined)
    stream.resume()
    stream.end()
    setTimeout(() => stream.destroy(), LINGER_MS).unref()
  }

  readonly #onData = (chunk: Buffer): void => {
    this.heardAt = performance.now()
    this.#reader.push(chunk)
    this.#work()
  }

  readonly #onEnd = (): void => {
    this.#ended = true
    this.#work()
  }

  /** Who has said all it wants may go: that is worked on first. A connection that breaks off is over at once. */
  readonly #onLost = (): void => {
    if (!this.#open || this.#lost) return
    if (!this.#ended) {
      this.close('network')
      return
    }
    this.#lost = true
    this.#sending.end()
    this.#holds.delete('backlog')
    this.#work()
  }

  readonly #onTaken = (backlog: number): void => {
    if (backlog <= this.#backlogMax / 2) this.release('backlog')
    if (backlog === 0) this.#events.onDrained()
  }

  #work(): void {
    if (this.#working || !this.#open) return
    this.#working = true
    try {
      this.#takePackets()
    } catch (error) {
      if (!(error instanceof WireFault)) throw error
      this.#events.onFault(error)
      if (error.reply !== null) this.send(error.reply)
      this.close('protocol')
    } finally {
      this.#working = false
    }
    this.#pauseOrResume()
  }

  #findGoodbye(): boolean {
    this.#stream.off('data', this.#onData)
    // The stream holds what came since it was paused.
    const rest: unknown = this.#stream.read()
    if (Buffer.isBuffer(rest)) this.#reader.push(rest)
    try {
      for (let packet = this.#reader.next(); packet !== null; packet = this.#reader.next())
        if (packet.cmd === 'disconnect') return true
    } catch (error) {
      if (!(error instanceof WireFault)) throw error
    }
    return false
  }

  #takePackets(): void {
    let packets = 0
    let bytes = 0
    while (this.#holds.size === 0 && this.#open) {
      if (this.backlog > this.#backlogMax) {
        // Who asks without reading the answers waits until it has.
        this.hold('backlog')
        return
      }
      const packet = this.#reader.next()
      if (packet === null) {
        // What the peer sent before it hung up has been worked on.
        if (this.#ended) this.close(this.#lost ? 'network' : 'client')
        return
      }
      this.#keepRate(packet.bytes)
      // An answer to what was sent costs little and is owed: a subscriber answers as much as all publishers send it.
      if (!isAnswer(packet)) packets += 1
      bytes += packet.bytes
      // One SUBSCRIBE may hold hundreds of filters, each of which is looked up among the retained messages.
      const isHeavy = packet.cmd === 'subscribe' || packet.cmd === 'unsubscribe'
      if (isHeavy || packets >= TURN_PACKETS || bytes >= TURN_BYTES) this.#endTurn()
      this.#events.onPacket(packet)
    }
  }

  #endTurn(): void {
    this.hold('turn')
    setImmediate(() => {
      this.release('turn')
    })
  }

  #keepRate(bytes: number): void {
    const pauseMs = this.#rate.take(bytes)
    if (pauseMs <= 0) return
    this.#bounds.met(this.#rate.met, this.peer.remote)
    this.hold('rate')
    setTimeout(() => {
      this.release('rate')
    }, pauseMs).unref()
  }

  #pauseOrResume(): void {
    if (!this.#open || this.#lost) return
    const pause = this.#holds.size > 0
    if (pause === this.#paused) return
    this.#paused = pause
    if (pause) this.#stream.pause()
    else this.#stream.resume()
  }
}

const isAnswer = ({ cmd }: InPacket): boolean => cmd === 'puback' || cmd === 'pubrec' || cmd === 'pubcomp'

export interface ConnectionParts {
  readonly limits: BrokerLimits
  readonly events: ConnectionEvents
  readonly backlog: Backlog
  readonly bounds: Bounds
}
