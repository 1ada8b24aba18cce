import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { BrokerError } from './errors.ts'
import { CONNECTIONS_MAX } from './limits.ts'

const KEEP_ALIVE_DELAY_MS = 60_000

/** One TCP listener that is open. */
export interface Listener {
  /** As it is reachable, `tcp://HOST:PORT`. */
  readonly address: string
  /** Takes no further connection; those that are open stay. */
  close(): void
}

/** Opens `tcp://HOST:PORT`; port 0 picks a free one. @throws BrokerError BROKER_LISTENER_INVALID, BROKER_LISTEN_FAILED */
export async function openListener(url: string, onSocket: (socket: Socket) => void): Promise<Listener> {
  const { host, port } = parseListener(url)
  const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS })
  server.maxConnections = CONNECTIONS_MAX
  server.on('connection', onSocket)
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (cause) {
    throw new BrokerError('BROKER_LISTEN_FAILED', `cannot listen on ${url}`, { cause })
  }
  return { address: addressOf(server, host), close: () => server.close() }
}

function parseListener(url: string): { host: string; port: number } {
  const match = /^tcp:\/\/(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(url)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || port > 65_535) {
    throw new BrokerError('BROKER_LISTENER_INVALID', `${url} is not a listener`)
  }
  return { host, port }
}

function addressOf(server: Server, host: string): string {
  const address = server.address()
  if (address === null || typeof address === 'string') return `tcp://${host}`
  return `tcp://${host.includes(':') ? `[${host}]` : host}:${address.port}`
}
