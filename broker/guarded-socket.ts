import { Duplex } from 'node:stream'
import type { Peer } from './listen/index.ts'
import { BACKLOG_BYTES_MAX, CONNECT_BYTES_MAX, PACKET_BYTES_MAX } from './limits.ts'

const LENGTH_BYTES_MAX = 4

/**
 * Reads nothing but the length of each packet (MQTT 3.1.1, 2.2.3) as the bytes pass, so that a claimed length is
 * refused before anything waits for it.
 */
export class PacketMeter {
  #packets = 0
  #body = 0
  #lengthBytes = -1
  #length = 0

  /** False once a packet claims more than is allowed; nothing after it may be read. */
  accepts(chunk: Uint8Array): boolean {
    for (let at = 0; at < chunk.length; ) {
      if (this.#body > 0) {
        const taken = Math.min(this.#body, chunk.length - at)
        this.#body -= taken
        at += taken
      } else {
        if (!this.#header(chunk[at] ?? 0)) return false
        at += 1
      }
    }
    return true
  }

  #header(byte: number): boolean {
    if (this.#lengthBytes === -1) {
      this.#lengthBytes = 0
      this.#length = 0
      return true
    }
    this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes
    this.#lengthBytes += 1
    const limit = this.#packets === 0 ? CONNECT_BYTES_MAX : PACKET_BYTES_MAX
    if (this.#length > limit) return false
    if ((byte & 0x80) !== 0) return this.#lengthBytes < LENGTH_BYTES_MAX
    this.#packets += 1
    this.#body = this.#length
    this.#lengthBytes = -1
    return true
  }
}

/**
 * A socket whose packets are bounded. Its write buffer takes whatever comes, so that a subscriber that has stopped
 * reading is seen by its `backlog` and closed, instead of making all others wait until it drains.
 */
export class GuardedSocket extends Duplex {
  readonly peer: Peer
  readonly #socket: Duplex
  readonly #meter = new PacketMeter()

  /** `onTooLarge` is told of a packet that claims too much; the socket closes. */
  constructor(socket: Duplex, peer: Peer, onTooLarge: () => void) {
    super({ writableHighWaterMark: 2 * BACKLOG_BYTES_MAX })
    this.#socket = socket
    this.peer = peer
    socket.on('data', (chunk: Buffer) => {
      if (this.destroyed) return
      if (!this.#meter.accepts(chunk)) {
        onTooLarge()
        this.destroy(new Error('a packet claims more bytes than are allowed'))
      } else if (!this.push(chunk)) socket.pause()
    })
    socket.on('end', () => this.push(null))
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => this.destroy())
  }

  /** Bytes that wait for the peer to read. */
  get backlog(): number {
    return this.writableLength + this.#socket.writableLength
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done)
  }

  /** A packet is written in several pieces; together they cost one system call. */
  override _writev(pieces: readonly { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#socket.cork()
    for (const [at, { chunk }] of pieces.entries()) {
      this.#socket.write(chunk, at === pieces.length - 1 ? done : undefined)
    }
    this.#socket.uncork()
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => {
      done()
    })
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }
}
