import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { CountedLink } from '../../../agent/cli/demo/link.ts'

/** What the link does to what passes. */
export interface Weather {
  /** Least and most that a piece is under way, ms. */
  delayMs: readonly [number, number]
  /** Share of pieces that are lost and sent again by TCP: they, and all after them, come so much later. */
  loss: number
  /** Share of pieces at which the connection breaks; what is under way is gone. */
  breaks: number
}

/** So long TCP takes to see that a piece was lost, ms. */
const RESENT_MS = [200, 1_500] as const
export const FAIR: Weather = { delayMs: [0, 0], loss: 0, breaks: 0 }

/** The link between gateway and cloud as a radio link is: late, with gaps, broken at times. Chance comes from a seed. */
export class BadLink implements CountedLink {
  weather: Weather = FAIR
  readonly #targetPort: () => number
  readonly #random: () => number
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #bytes = { up: 0, down: 0 }
  readonly counts = { pieces: 0, lost: 0, broken: 0, connections: 0 }
  #isDown = false

  constructor(targetPort: () => number, random: () => number) {
    this.#targetPort = targetPort
    this.#random = random
    this.#server = createServer((socket) => {
      this.#join(socket)
    })
  }

  async start(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    this.cut()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }

  cut(): void {
    this.#isDown = true
    for (const socket of this.#sockets) socket.destroy()
  }

  mend(): void {
    this.#isDown = false
  }

  bytes(): { up: number; down: number } {
    return { ...this.#bytes }
  }

  #join(near: Socket): void {
    this.#keep(near)
    if (this.#isDown) {
      near.destroy()
      return
    }
    this.counts.connections += 1
    const far = connect(this.#targetPort(), '127.0.0.1')
    this.#keep(far)
    this.#forward(near, far, 'up')
    this.#forward(far, near, 'down')
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  }

  #forward(from: Socket, to: Socket, way: 'up' | 'down'): void {
    let last = 0
    from.on('data', (chunk: Buffer) => {
      this.#bytes[way] += chunk.length
      this.counts.pieces += 1
      const { delayMs, loss, breaks } = this.weather
      if (this.#random() < breaks) {
        this.counts.broken += 1
        from.destroy()
        return
      }
      let late = this.#between(delayMs)
      if (this.#random() < loss) {
        this.counts.lost += 1
        late += this.#between(RESENT_MS)
      }
      // In order, as TCP gives it: a lost piece holds up those after it.
      last = Math.max(last, performance.now() + late)
      const waitMs = last - performance.now()
      if (waitMs <= 0) to.write(chunk)
      else setTimeout(() => to.writable && to.write(chunk), waitMs)
    })
    from.on('end', () => to.end())
  }

  #between([least, most]: readonly [number, number]): number {
    return least + this.#random() * (most - least)
  }
}
