import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { fixedHeader, PacketSplitter, PUBLISH, type Seen, topicOf } from './mqtt-bytes.ts'

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
  /** Of an MQTT link: what the near end publishes on such a topic waits for `release`, and what is behind it passes it by. */
  readonly #holds: ((topic: string) => boolean) | undefined
  #held: (() => void)[] = []

  constructor(target: { readonly host: string; readonly port: number }, holds?: (topic: string) => boolean) {
    this.#target = target
    this.#holds = holds
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

  /** What was held goes on its way, in its order, where its connection is still there. */
  release(): void {
    for (const send of this.#held.splice(0)) send()
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
    if (this.#holds === undefined) this.#forward(near, far)
    else this.#forwardPackets(near, far, this.#holds)
    this.#forward(far, near)
    for (const socket of pair) {
      socket.on('close', () => {
        this.#pairs.delete(pair)
        // What was said before the end still arrives.
        for (const other of pair) other.destroySoon()
      })
    }
  }

  #forwardPackets(from: Socket, to: Socket, holds: (topic: string) => boolean): void {
    const packets = new PacketSplitter((seen) => {
      const send = sending(to, seen)
      if (seen.type === PUBLISH && holds(topicOf(seen))) this.#held.push(send)
      else send()
    })
    from.on('data', (chunk) => {
      if (!this.isSilent) packets.take(chunk)
    })
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

/** Sends this packet later: what it lies in is used again. */
function sending(to: Socket, { type, flags, bytes, start, end }: Seen): () => void {
  const packet = Buffer.concat([fixedHeader((type << 4) | flags, end - start), bytes.subarray(start, end)])
  return () => {
    if (to.writable) to.write(packet)
  }
}
