import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A TCP proxy on loopback that does what bad links do. */
export class LinkProxy {
  readonly #target: { readonly host: string; readonly port: number }
  readonly #server: Server
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  /** Chunks wait this long in both directions, ms. */
  delayMs = 0
  /** Nothing passes any more, in either direction, yet both ends stay open. */
  isSilent = false
  /** Connections are closed at once. */
  isRefusing = false

  constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target
    this.#server = createServer((socket) => {
      this.#join(socket)
    })
  }

  /** Resolves with the port that stands for the target's. */
  async start(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  /** Ends all connections with RST. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy()
    this.#pairs.clear()
  }

  async stop(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(near: Socket): void {
    near.on('error', () => near.destroy())
    if (this.isRefusing) {
      near.resetAndDestroy()
      return
    }
    const far = connect(this.#target)
    far.on('error', () => far.destroy())
    const pair = [near, far] as const
    this.#pairs.add(pair)
    this.#forward(near, far)
    this.#forward(far, near)
    for (const socket of pair) {
      socket.on('close', () => {
        this.#pairs.delete(pair)
        for (const other of pair) other.destroy()
      })
    }
  }

  #forward(from: Socket, to: Socket): void {
    from.on('data', (chunk) => {
      // A silent link swallows: what is on its way is lost for good.
      if (this.isSilent) return
      if (this.delayMs === 0) to.write(chunk)
      else setTimeout(() => to.writable && to.write(chunk), this.delayMs)
    })
  }
}
