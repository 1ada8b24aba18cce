import { once } from 'node:events'
import { hostname } from 'node:os'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, isIP, type Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { AgentError } from '../errors.ts'
import type { Log } from '../log.ts'
import { consoleApp, type Mount } from './app.ts'

/** A handful of people and programs on site. */
const CONNECTIONS_MAX = 64
/** Of one address: who holds all that they can leaves room for others. */
const CONNECTIONS_AN_ADDRESS_MAX = 16
const HEADER_BYTES_MAX = 8 * 1024
/** The whole of a request; an answer may take longer. */
const REQUEST_MS_MAX = 15_000
const HEADERS_MS_MAX = 5_000
/** How often Node looks at those two; its own 30 s would make them 35 and 45. */
const LOOK_EVERY_MS = 1_000

export interface ConsoleOptions {
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  /** By which it may be asked for, besides addresses, `localhost` and the machine's own name. */
  readonly names: readonly string[]
  readonly log: Log
  readonly mounts: readonly Mount[]
}

/** The gateway's HTTP port. */
export interface ConsoleServer {
  /** `http://HOST:PORT` while it listens, else null. */
  readonly url: string | null
  start(): Promise<void>
  stop(): Promise<void>
}

/** Serves members on site over HTTP; readings do not depend on whether that works. */
export function createConsole({ host, port, names, log, mounts }: ConsoleOptions): ConsoleServer {
  const server: Server = createServer({
    maxHeaderSize: HEADER_BYTES_MAX,
    connectionsCheckingInterval: LOOK_EVERY_MS,
  })
  server.maxConnections = CONNECTIONS_MAX
  server.requestTimeout = REQUEST_MS_MAX
  server.headersTimeout = HEADERS_MS_MAX
  const byAddress = new Map<string, number>()
  server.on('connection', (socket) => {
    admit(socket, byAddress)
  })
  const listener = getRequestListener(consoleApp(log, mounts, ownHost(names)).fetch)
  server.on('request', (request, response) => {
    void listener(request, response)
  })
  let url: string | null = null
  return {
    get url() {
      return url
    },
    async start() {
      server.listen(port, host)
      try {
        await once(server, 'listening')
      } catch (cause) {
        throw new AgentError('PORT_TAKEN', `the console cannot listen on ${host}:${port}`, { cause })
      }
      const bracketed = host.includes(':') ? `[${host}]` : host
      url = `http://${bracketed}:${(server.address() as AddressInfo).port}`
      log.info({ url }, 'console listens')
    },
    async stop() {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.closeAllConnections()
      server.close()
      await closed
    },
  }
}

function admit(socket: Socket, byAddress: Map<string, number>): void {
  const address = socket.remoteAddress ?? ''
  const count = (byAddress.get(address) ?? 0) + 1
  byAddress.set(address, count)
  socket.once('close', () => {
    const left = (byAddress.get(address) ?? 1) - 1
    if (left === 0) byAddress.delete(address)
    else byAddress.set(address, left)
  })
  if (count > CONNECTIONS_AN_ADDRESS_MAX) socket.destroy()
}

/** An address cannot be made to lead elsewhere; a name can, unless it is known to be ours. */
function ownHost(names: readonly string[]): (host: string | undefined) => boolean {
  const machine = hostname().toLowerCase()
  const own = new Set(['localhost', machine, `${machine}.local`, ...names.map((name) => name.toLowerCase())])
  return (host) => {
    if (host === undefined || !URL.canParse(`http://${host}`)) return false
    const name = new URL(`http://${host}`).hostname
    return own.has(name) || isIP(name.replaceAll(/[[\]]/g, '')) !== 0
  }
}
