import { once } from 'node:events'
import { createServer, isIP, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls'
import type { BrokerLog } from '../log.ts'
import { BrokerError } from '../errors.ts'
import { tlsOptionsOf } from './certificates.ts'
import { BACKLOG_CONNECTIONS, KEEP_ALIVE_DELAY_MS } from './limits.ts'
import { type Peer, peerOf } from './peer.ts'
import { type Refusal, Refusals } from './refusals.ts'
import { type ListenerSpec, type Place, placeOf, type TlsFiles } from './spec.ts'
import { listenOnUnixSocket } from './unix-socket.ts'
import { WaitingRoom } from './waiting-room.ts'
import { webSocketUpgrade } from './web-socket.ts'

/** A listener that is open. */
export interface Listener {
  /** As it is reachable: the URL that was asked for, with the port that was found. */
  readonly address: string
  /** Takes no further connection and ends handshakes; connections that were handed over stay. */
  close(): void
  /**
   * Reads cert, key and ca again. Open connections stay, new ones see the new certificate. Does nothing where there
   * is no TLS. @throws BrokerError BROKER_TLS_INVALID; the old certificate then stays in use
   */
  reload(): Promise<void>
}

export interface ListenOptions {
  /** Open connections of this listener, those in their handshake among them. */
  readonly connectionsMax: number
  readonly log: BrokerLog
  /** Told of each connection that was refused before MQTT began. */
  readonly onRefused?: (refusal: Refusal) => void
}

/** Takes a connection that is through its handshakes. What it reads and writes is MQTT. */
export type Accept = (stream: Duplex, peer: Peer) => void

/** Opens a listener. @throws BrokerError BROKER_LISTENER_INVALID, BROKER_TLS_INVALID, BROKER_LISTEN_FAILED */
export async function openListener(
  spec: ListenerSpec,
  accept: Accept,
  options: ListenOptions,
): Promise<Listener> {
  const place = placeOf(spec)
  const { log, onRefused = () => undefined } = options
  const refusals = new Refusals({ listener: spec.url, log, onRefused })
  const waiting = new WaitingRoom((socket, because) => {
    refusals.note(because, { remote: remoteOf(socket) })
  })
  const served = await serverOf(spec, { place, accept, waiting, refusals, log })
  const { server } = served
  server.maxConnections = options.connectionsMax
  server.on('drop', (data) => {
    refusals.note('full', { remote: data?.remoteAddress ?? 'unknown' })
  })
  const removeSocket = await listen(server, place, spec)
  // The system had no descriptor left for a connection, for example.
  server.on('error', (error) => {
    refusals.note('system', { remote: 'unknown', reason: error.message })
  })
  if (!isPrivate(place)) log.warn({ listener: spec.url }, 'a listener for other machines is not encrypted')
  return {
    address: addressOf(server, place),
    close: () => {
      server.close()
      waiting.close()
      removeSocket?.().catch((err: unknown) => {
        log.warn({ err }, 'a socket file was not removed')
      })
    },
    reload: () => served.reload(),
  }
}

/** Opens a listener and closes it again, to see whether it could be. @throws BrokerError as `openListener` */
export async function tryListener(spec: ListenerSpec): Promise<void> {
  const quiet = (): void => undefined
  const log = { info: quiet, warn: quiet, error: quiet }
  const refuse: Accept = (stream) => stream.destroy()
  const listener = await openListener(spec, refuse, { connectionsMax: 1, log })
  listener.close()
}

interface Parts {
  readonly place: Place
  readonly accept: Accept
  readonly waiting: WaitingRoom
  readonly refusals: Refusals
  readonly log: BrokerLog
}

interface Served {
  readonly server: Server
  reload(): Promise<void>
}

async function serverOf(spec: ListenerSpec, parts: Parts): Promise<Served> {
  const { accept, place, waiting } = parts
  const { transport } = place
  const hasHandshake = transport !== 'tcp' && transport !== 'unix'
  const onOpen =
    place.transport === 'ws' || place.transport === 'wss'
      ? upgrading(spec, place.path, parts)
      : (socket: Socket) => {
          if (hasHandshake && !waiting.admit(socket)) socket.destroy()
          else accept(socket, peerOf(socket, transport))
        }
  const served = spec.tls === undefined ? plainServer(onOpen) : await tlsServer(spec.tls, onOpen, parts)
  if (hasHandshake) {
    served.server.prependListener('connection', (socket: Socket) => {
      waiting.enter(socket)
    })
  }
  return served
}

function upgrading(spec: ListenerSpec, path: string | null, parts: Parts): (socket: Socket) => void {
  const { accept, place, waiting, refusals } = parts
  return webSocketUpgrade({
    path,
    origins: spec.origins ?? [],
    accept: (stream, connection) => {
      if (waiting.admit(connection)) accept(stream, peerOf(connection, place.transport))
      else stream.destroy()
    },
    refused: (because, connection, reason) => {
      refusals.note(because, { remote: remoteOf(connection), reason })
    },
  })
}

const SOCKET_OPTIONS = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
}
/** Else Node closes a connection whose peer has said all it wants, before all of that has been worked on. */
const HALF_OPEN = { allowHalfOpen: true }

function plainServer(onOpen: (socket: Socket) => void): Served {
  const server = createServer({ ...SOCKET_OPTIONS, ...HALF_OPEN }, onOpen)
  return { server, reload: () => Promise.resolve() }
}

async function tlsServer(
  files: TlsFiles,
  onOpen: (socket: Socket) => void,
  { refusals, log }: Parts,
): Promise<Served> {
  const server: TlsServer = createTlsServer({ ...SOCKET_OPTIONS, ...(await tlsOptionsOf(files, log)) })
  server.on('secureConnection', (socket: TLSSocket) => {
    // Without a certificate one may come in where it is only requested; with one that is not good, never.
    const given = socket.getPeerX509Certificate()
    // Not before: who goes in the middle of a handshake is gone.
    Object.assign(socket, HALF_OPEN)
    if (given === undefined || socket.authorized) onOpen(socket)
    else {
      refusals.note('certificate', { remote: remoteOf(socket), reason: String(socket.authorizationError) })
      socket.destroy()
    }
  })
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
    refusals.note('tls', { remote: remoteOf(socket), reason: error.code ?? error.message })
  })
  return {
    server,
    reload: async () => {
      server.setSecureContext(await tlsOptionsOf(files, log))
    },
  }
}

async function listen(
  server: Server,
  place: Place,
  { url, mode }: ListenerSpec,
): Promise<(() => Promise<void>) | undefined> {
  if (place.transport === 'unix') return listenOnUnixSocket(server, place.path, mode)
  try {
    server.listen({ port: place.port, host: place.host, backlog: BACKLOG_CONNECTIONS })
    await once(server, 'listening')
    return undefined
  } catch (cause) {
    throw new BrokerError('BROKER_LISTEN_FAILED', `cannot listen on ${url}`, { cause })
  }
}

function addressOf(server: Server, place: Place): string {
  if (place.transport === 'unix') return `unix:${place.path}`
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : place.port
  const host = place.host.includes(':') ? `[${place.host}]` : place.host
  const path = 'path' in place ? (place.path ?? '') : ''
  return `${place.transport}://${host}:${port}${path}`
}

/** True where nobody in between can read: encrypted, or not leaving this machine. */
function isPrivate(place: Place): boolean {
  if (place.transport !== 'tcp' && place.transport !== 'ws') return true
  const { host } = place
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** Not known any more where the peer has gone already. */
function remoteOf(connection: Duplex): string {
  const { remoteAddress, remotePort } = connection as Partial<Socket>
  return remoteAddress === undefined ? 'unknown' : `${remoteAddress}:${remotePort ?? 0}`
}
