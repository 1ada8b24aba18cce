import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { BrokerError } from '../errors.ts'
import { EXPOSITION_TYPE, expositionOf } from './exposition.ts'
import type { MetricFamily } from './metrics.ts'

/** Whoever reads metrics is one or two programs; more are refused by the system. */
const CONNECTIONS_MAX = 16
const REQUEST_MS_MAX = 5_000
const HEADER_BYTES_MAX = 8 * 1024

/** A page with figures that is being served. */
export interface MetricsPage {
  /** As it is reachable, `http://HOST:PORT/metrics`. */
  readonly url: string
  stop(): Promise<void>
}

/** Serves `GET /metrics` on `HOST:PORT`; port 0 picks a free one. @throws BrokerError BROKER_METRICS_LISTEN_FAILED */
export async function serveMetrics(
  listen: string,
  families: () => readonly MetricFamily[],
): Promise<MetricsPage> {
  const { host, port } = placeOf(listen)
  const server = createServer({ maxHeaderSize: HEADER_BYTES_MAX }, answer(families))
  server.maxConnections = CONNECTIONS_MAX
  server.requestTimeout = REQUEST_MS_MAX
  server.headersTimeout = REQUEST_MS_MAX
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (cause) {
    throw new BrokerError('BROKER_METRICS_LISTEN_FAILED', `cannot serve metrics on ${listen}`, { cause })
  }
  return { url: urlOf(server, host), stop: () => stopped(server) }
}

const answer =
  (families: () => readonly MetricFamily[]): RequestListener =>
  ({ method, url }, response) => {
    const path = (url ?? '').split('?')[0]
    if (path !== '/metrics') response.writeHead(404).end()
    else if (method !== 'GET' && method !== 'HEAD') response.writeHead(405, { Allow: 'GET, HEAD' }).end()
    else response.writeHead(200, { 'Content-Type': EXPOSITION_TYPE }).end(expositionOf(families()))
  }

function placeOf(listen: string): { host: string; port: number } {
  const [, six, four = '', port = ''] =
    /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(listen) ?? []
  if (port === '' || Number(port) > 65_535) {
    throw new BrokerError('BROKER_METRICS_LISTEN_FAILED', `${listen} is not HOST:PORT`)
  }
  return { host: six ?? four, port: Number(port) }
}

function urlOf(server: Server, host: string): string {
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}/metrics`
}

async function stopped(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
