import { createServer, type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import {
  CLOSE_MS_MAX,
  MESSAGE_BYTES_MAX,
  MESSAGE_CHUNKS_MAX,
  MESSAGE_FRAMES_MAX,
  PONGS_WAITING_MAX,
  UPGRADE_HEADER_BYTES_MAX,
} from './limits.ts'
import { originIsAllowed } from './origin.ts'
import { WebSocketStream } from './web-socket-stream.ts'

const BAD_REQUEST = 400
const FORBIDDEN = 403
const NOT_FOUND = 404
const UPGRADE_REQUIRED = 426
/** [MQTT-6.0.0-3], [MQTT-6.0.0-4]; the second is what clients of MQTT 3.1 ask for. */
const SUBPROTOCOLS = ['mqtt', 'mqttv3.1']

/** Not all are in the types of ws yet. */
const LIMITS = {
  maxPayload: MESSAGE_BYTES_MAX,
  maxFragments: MESSAGE_FRAMES_MAX,
  maxBufferedChunks: MESSAGE_CHUNKS_MAX,
  maxPendingAutoPongs: PONGS_WAITING_MAX,
  closeTimeout: CLOSE_MS_MAX,
}

export interface UpgradeOptions {
  /** The only path that is answered; null = all are. */
  readonly path: string | null
  readonly origins: readonly string[]
  accept(stream: WebSocketStream, connection: Socket): void
  refused(because: 'upgrade' | 'origin', connection: Duplex, reason: string): void
}

/** Turns connections into streams of MQTT by the WebSocket upgrade; whatever else HTTP can do is refused. */
export function webSocketUpgrade(options: UpgradeOptions): (connection: Socket) => void {
  const upgrader = new WebSocketServer({
    ...LIMITS,
    noServer: true,
    clientTracking: false,
    // Compression costs about 300 kB a connection, and opens what is secret to who can make us repeat his own bytes.
    perMessageDeflate: false,
    handleProtocols: (offered) => SUBPROTOCOLS.find((name) => offered.has(name)) ?? false,
  })
  const refused = new WeakSet<Duplex>()
  // Once for a connection: what else came with the same bytes, many requests at a time, is not answered.
  const refuse = (connection: Duplex, refusal: RefusedUpgrade): void => {
    if (refused.has(connection)) return
    refused.add(connection)
    options.refused(refusal.because, connection, refusal.reason)
    answer(connection, refusal)
  }
  // It never listens itself: it is handed connections, encrypted ones too, which have their time already.
  const http = createServer({ maxHeaderSize: UPGRADE_HEADER_BYTES_MAX, keepAlive: false })
  http.on('upgrade', (request, _stream, head) => {
    const connection = request.socket
    const refusal = refusalOf(request, options)
    if (refusal !== null) {
      refuse(connection, refusal)
      return
    }
    upgrader.handleUpgrade(request, connection, head, (socket: WebSocket) => {
      options.accept(new WebSocketStream(socket, connection), connection)
    })
  })
  http.on('request', ({ socket }: IncomingMessage) => {
    refuse(socket, { because: 'upgrade', status: UPGRADE_REQUIRED, reason: 'this is MQTT over WebSocket' })
  })
  const malformed = (error: Error, connection: Duplex): void => {
    refuse(connection, { because: 'upgrade', status: BAD_REQUEST, reason: error.message })
  }
  http.on('clientError', malformed)
  upgrader.on('wsClientError', malformed)
  return (connection) => void http.emit('connection', connection)
}

interface RefusedUpgrade {
  readonly because: 'upgrade' | 'origin'
  readonly status: number
  readonly reason: string
}

function refusalOf(
  { url = '/', headers }: IncomingMessage,
  { path, origins }: UpgradeOptions,
): RefusedUpgrade | null {
  const refused = (status: number, reason: string): RefusedUpgrade => ({
    because: status === FORBIDDEN ? 'origin' : 'upgrade',
    status,
    reason,
  })
  if (path !== null && url.split('?')[0] !== path) return refused(NOT_FOUND, 'there is nothing at this path')
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
  if (!SUBPROTOCOLS.some((name) => offered.includes(name)))
    return refused(BAD_REQUEST, 'the subprotocol must be mqtt')
  if (!originIsAllowed({ origin: headers.origin, host: headers.host, allowed: origins }))
    return refused(FORBIDDEN, 'this page may not use this listener; see origins')
  return null
}

/** Says why, for whoever looks at it, and closes. */
function answer(connection: Duplex, { status, reason }: RefusedUpgrade): void {
  if (connection.destroyed) return
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: text/plain',
    `Content-Length: ${Buffer.byteLength(reason)}`,
    ...(status === UPGRADE_REQUIRED ? ['Upgrade: websocket'] : []),
    '',
    reason,
  ]
  connection.on('error', () => connection.destroy())
  connection.end(lines.join('\r\n'), () => connection.destroy())
}
