import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { AgentError } from '../errors.ts'
import type { Log } from '../log.ts'
import { consoleApp, type Mount } from './app.ts'

/** A handful of people and programs on site. */
const CONNECTIONS_MAX = 64
const HEADER_BYTES_MAX = 8 * 1024
/** The whole of a request; an answer may take longer. */
const REQUEST_MS_MAX = 15_000
const HEADERS_MS_MAX = 5_000

export interface ConsoleOptions {
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
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
export function createConsole({ host, port, log, mounts }: ConsoleOptions): ConsoleServer {
  const server: Server = createServer({ maxHeaderSize: HEADER_BYTES_MAX })
  server.maxConnections = CONNECTIONS_MAX
  server.requestTimeout = REQUEST_MS_MAX
  server.headersTimeout = HEADERS_MS_MAX
  const listener = getRequestListener(consoleApp(log, mounts).fetch)
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
