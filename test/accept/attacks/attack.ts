import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { RawClient } from '../../support/raw-client.ts'

/** One way to hurt a broker. */
export interface Attack {
  readonly name: string
  /** Metrics, as `closed_total/protocol`, that together must have risen by what the attacker saw refused. */
  readonly counted: readonly string[]
  /** How many refusals the attacker saw, or is certain of. */
  readonly run: (target: Target) => Promise<number>
}

export interface Target {
  readonly port: number
  /** 1 = as large as it is meant; counts are multiplied by it. */
  readonly scale: number
  /** How long attacks go on that have no count. */
  readonly seconds: number
}

/** A connection that sends nothing by itself; a refused one is just closed. */
export async function silent(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.resume()
  await Promise.race([once(socket, 'connect'), closedWithin(socket, 10_000)]).catch(() => undefined)
  return socket
}

/** True where the socket is closed by then. */
export function closedWithin(socket: Socket, ms: number): Promise<boolean> {
  if (socket.closed) return Promise.resolve(true)
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve(false)
    }, ms)
    socket.once('close', () => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}

/** Writes as fast as the other end takes it; false where the connection is gone. */
export async function flowing(socket: Socket, bytes: Uint8Array): Promise<boolean> {
  if (socket.destroyed) return false
  if (socket.write(bytes)) return true
  const waited = new AbortController()
  const { signal } = waited
  await Promise.race([once(socket, 'drain', { signal }), once(socket, 'close', { signal })]).catch(
    () => undefined,
  )
  waited.abort()
  return !socket.destroyed
}

/** So many at a time until all are done. */
export async function each(count: number, atOnce: number, act: (at: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) {
      next += 1
      await act(next - 1)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, worker))
}

/** Does something with a client that is logged in, and breaks its connection after it. */
export async function withClient<T>(
  port: number,
  clientId: string,
  act: (client: RawClient) => Promise<T>,
): Promise<T> {
  const client = await RawClient.clean(port, clientId)
  try {
    return await act(client)
  } finally {
    client.destroy()
  }
}

/** Goes on until the time is over. */
export async function during(seconds: number, act: (round: number) => Promise<boolean>): Promise<void> {
  const end = performance.now() + seconds * 1000
  for (let round = 0; performance.now() < end; round += 1) if (!(await act(round))) return
}
