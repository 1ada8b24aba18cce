import type { Socket } from 'node:net'
import { publishPacket } from '../../support/mqtt-bytes.ts'

/** Publisher (2 bytes), number (4) and time of sending (8) stand at the beginning of each payload. */
export const STAMP_BYTES = 14
/** Messages in one write. */
const BATCH = 64

/** Writes numbered messages, as many at a time as its window has room for. */
export class Publisher {
  readonly #socket: Socket
  readonly #template: Buffer
  readonly #idAt: number
  readonly #stampAt: number
  readonly #qos: 0 | 1
  readonly #index: number
  sent = 0
  acknowledged = 0

  constructor(socket: Socket, what: { index: number; topic: string; qos: 0 | 1; payloadBytes: number }) {
    const { index, topic, qos, payloadBytes } = what
    this.#socket = socket
    this.#index = index
    this.#qos = qos
    this.#template = publishPacket({ topic, payload: Buffer.alloc(payloadBytes, 0x61), qos, id: 1 })
    this.#stampAt = this.#template.length - payloadBytes
    this.#idAt = this.#stampAt - 2
  }

  /** Sends up to so many; the number that went. */
  send(most: number): number {
    const count = Math.min(most, BATCH)
    if (count <= 0 || this.#socket.writableNeedDrain) return 0
    const size = this.#template.length
    const bytes = Buffer.allocUnsafe(size * count)
    const now = performance.now()
    for (let at = 0; at < bytes.length; at += size) {
      this.#template.copy(bytes, at)
      if (this.#qos > 0) bytes.writeUInt16BE(1 + (this.sent % 65_535), at + this.#idAt)
      const stamp = at + this.#stampAt
      bytes.writeUInt16BE(this.#index, stamp)
      bytes.writeUInt32BE(this.sent, stamp + 2)
      bytes.writeDoubleBE(now, stamp + 6)
      this.sent += 1
    }
    this.#socket.write(bytes)
    return count
  }
}
