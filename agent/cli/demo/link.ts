import { once } from 'node:events'
import { createServer, type Server, type Socket, connect } from 'node:net'

/** The link between gateway and cloud: a TCP relay that counts every byte and can be cut. */
export interface CountedLink {
  start(): Promise<number>
  stop(): Promise<void>
  /** Refuses and drops everything until `mend`. */
  cut(): void
  mend(): void
  /** Bytes of the TCP streams, both directions; no IP headers. */
  bytes(): { up: number; down: number }
}

/** Relays a free loopback port to the port given. */
export function createLink(targetPort: () => number): CountedLink {
  const sockets = new Set<Socket>()
  const counted = { up: 0, down: 0 }
  let whole = true
  const keep = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  }
  const server: Server = createServer((near) => {
    keep(near)
    if (!whole) {
      near.destroy()
      return
    }
    const far = connect(targetPort(), '127.0.0.1')
    keep(far)
    near.on('data', (chunk) => (counted.up += chunk.length))
    far.on('data', (chunk) => (counted.down += chunk.length))
    near.pipe(far)
    far.pipe(near)
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  })
  const drop = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    async start() {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const address = server.address()
      return typeof address === 'object' && address !== null ? address.port : 0
    },
    async stop() {
      drop()
      server.close()
      await once(server, 'close')
    },
    cut() {
      whole = false
      drop()
    },
    mend() {
      whole = true
    },
    bytes: () => ({ ...counted }),
  }
}
