import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import type { Hono } from 'hono'
import { SyncError } from '../contract/index.ts'

/** Largest request read, bytes of header. */
const HEADER_BYTES_MAX = 16 * 1024
const REQUEST_TIMEOUT_MS = 30_000
const HEADERS_TIMEOUT_MS = 10_000
/** How often Node looks at those two; by itself every 30 s. */
const LOOK_EVERY_MS = 2_000

export interface HttpService {
  /** `http://HOST:PORT` really listened on. */
  readonly url: string
  stop(): Promise<void>
}

/** Serves an app; port 0 picks a free one. Throws CLOUD_LISTEN_FAILED. */
export async function serveHttp(app: Hono, listen: string): Promise<HttpService> {
  const { hostname, port } = new URL(`http://${listen}`)
  const server = createAdaptorServer({
    fetch: app.fetch,
    serverOptions: {
      maxHeaderSize: HEADER_BYTES_MAX,
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: LOOK_EVERY_MS,
    },
  })
  try {
    server.listen(Number(port === '' ? 80 : port), hostname.replaceAll(/[[\]]/g, ''))
    await once(server, 'listening')
  } catch (cause) {
    throw new SyncError('CLOUD_LISTEN_FAILED', `http ${listen} cannot be listened on`, { cause })
  }
  const { port: bound } = server.address() as AddressInfo
  return {
    url: `http://${hostname}:${bound}`,
    stop: async () => {
      const closed = once(server, 'close')
      server.close()
      if ('closeAllConnections' in server) server.closeAllConnections()
      await closed
    },
  }
}
