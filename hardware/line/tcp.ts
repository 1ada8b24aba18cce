import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import type { LinePort } from '../config.ts'
import type { Transport, TransportListener } from './transport.ts'

const CONNECT_MS_MAX = 3_000
/** A device server that was cut off without a word is noticed by probes after this. */
const KEEPALIVE_MS = 10_000

/** The raw port of a serial device server. */
export async function openTcp(
  { host, port }: Extract<LinePort, { kind: 'tcp' }>,
  listener: TransportListener,
): Promise<Transport> {
  const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS })
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_MS_MAX) })
  } catch (error) {
    // Its own error, if one still comes, has been told already.
    socket.on('error', () => socket.destroy())
    socket.destroy()
    throw error
  }
  return tcpTransport(socket, listener)
}

function tcpTransport(socket: Socket, listener: TransportListener): Transport {
  let live = true
  const lose = (cause: string): void => {
    if (!live) return
    live = false
    socket.destroy()
    listener.onLost(cause)
  }
  socket.on('data', (bytes) => {
    if (live) listener.onBytes(bytes)
  })
  socket.on('error', (error) => {
    lose(error.message)
  })
  socket.on('close', () => {
    lose('the connection was closed')
  })
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        socket.write(bytes, (error) => {
          if (error === null || error === undefined) resolve()
          else reject(error)
        })
      }),
    settle: async () => {
      // The first turn may belong to a round of input that was gathered before; the second cannot.
      await turn()
      await turn()
    },
    close: () => {
      live = false
      socket.destroy()
      return Promise.resolve()
    },
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
