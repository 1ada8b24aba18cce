import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { STRANGER_MESSAGE_BYTES_MAX } from './limits.ts'

const UNSUPPORTED_DATA = 1003
const TOO_BIG = 1009

/**
 * The bytes of a WebSocket as a stream. MQTT does not care for the borders of its messages [MQTT-6.0.0-2]. What
 * waits to be written is seen by `writableLength`, and goes out as one message when the peer has taken the one before.
 */
export class WebSocketStream extends Duplex {
  readonly #socket: WebSocket
  /** Bytes of a message that is not whole yet, its frame headers and masks among them. */
  #unfinished = 0
  /** After that, ws bounds a message by itself. */
  #answered = false

  /** `connection` is what the WebSocket reads from. */
  constructor(socket: WebSocket, connection: Socket) {
    super({ decodeStrings: true })
    this.#socket = socket
    // ws holds a message until it is whole, and who has not logged in may not fill our memory so. Counted before ws
    // reads a chunk and looked at after it: a chunk that has ended a message has set the count back.
    connection.prependListener('data', (chunk: Buffer) => (this.#unfinished += chunk.length))
    connection.on('data', () => {
      if (!this.#answered && this.#unfinished > STRANGER_MESSAGE_BYTES_MAX)
        this.#refuse(TOO_BIG, 'a WebSocket message of a stranger is larger than is allowed')
    })
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      this.#unfinished = 0
      // [MQTT-6.0.0-1]: a text frame closes the connection.
      if (!isBinary) this.#refuse(UNSUPPORTED_DATA, 'a WebSocket message is text')
      else if (data.length > 0 && !this.readableEnded && !this.push(data)) socket.pause()
    })
    socket.on('ping', () => (this.#unfinished = 0))
    socket.on('pong', () => (this.#unfinished = 0))
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => {
      this.push(null)
      if (this.readableLength === 0) this.destroy()
      else this.once('end', () => this.destroy())
    })
  }

  override _read(): void {
    if (this.#socket.isPaused) this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    // Who is not let in gets one answer and is closed; so whoever got one and stays is let in.
    this.#answered = true
    this.#socket.send(chunk, { binary: true, compress: false, fin: true }, done)
  }

  override _writev(pieces: readonly { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this._write(Buffer.concat(pieces.map(({ chunk }) => chunk)), '', done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.close()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.terminate()
    done(error)
  }

  #refuse(code: number, reason: string): void {
    if (this.destroyed) return
    // The close frame is written before the connection goes.
    this.#socket.close(code, reason)
    this.destroy(new Error(reason))
  }
}
