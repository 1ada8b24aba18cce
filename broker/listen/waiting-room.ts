import type { Socket } from 'node:net'
import { HANDSHAKE_MS_MAX, HANDSHAKES_MAX } from './limits.ts'

/**
 * Connections that have not come through their handshakes. Each has its time and all together their number. Who has
 * waited longest makes room for the next: an honest handshake takes milliseconds, one that stalls takes for ever.
 */
export class WaitingRoom {
  readonly #waiting = new Map<string, { readonly socket: Socket; readonly timer: NodeJS.Timeout }>()
  readonly #onThrownOut: (socket: Socket, because: 'crowded' | 'slow') => void

  constructor(onThrownOut: (socket: Socket, because: 'crowded' | 'slow') => void) {
    this.#onThrownOut = onThrownOut
  }

  /** Lets a connection in that has just come; it leaves with `admit`, with its end, or is thrown out. */
  enter(socket: Socket): void {
    const key = keyOf(socket)
    const [oldest] = this.#waiting.keys()
    if (this.#waiting.size >= HANDSHAKES_MAX && oldest !== undefined) this.#throwOut(oldest, 'crowded')
    const timer = setTimeout(() => {
      this.#throwOut(key, 'slow')
    }, HANDSHAKE_MS_MAX)
    this.#waiting.set(key, { socket, timer })
    socket.once('close', () => {
      if (this.#waiting.get(key)?.socket === socket) this.#leave(key)
    })
  }

  /** True once for a connection, plain or encrypted, that waits here: it has come through. */
  admit(socket: Socket): boolean {
    return this.#leave(keyOf(socket))
  }

  close(): void {
    for (const [key, { socket }] of this.#waiting) {
      this.#leave(key)
      socket.destroy()
    }
  }

  #throwOut(key: string, because: 'crowded' | 'slow'): void {
    const socket = this.#waiting.get(key)?.socket
    this.#leave(key)
    if (socket === undefined) return
    this.#onThrownOut(socket, because)
    socket.destroy()
  }

  #leave(key: string): boolean {
    clearTimeout(this.#waiting.get(key)?.timer)
    return this.#waiting.delete(key)
  }
}

/** The same for the TCP connection and for the TLS connection in it. */
const keyOf = (socket: Socket): string => `${socket.remoteAddress ?? ''} ${socket.remotePort ?? 0}`
