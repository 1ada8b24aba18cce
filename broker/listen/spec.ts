import { BrokerError } from '../errors.ts'
import { SOCKET_PATH_BYTES_MAX } from './limits.ts'

export type Transport = 'tcp' | 'tls' | 'ws' | 'wss' | 'unix'

/** PEM files of a `tls` or `wss` listener. */
export interface TlsFiles {
  /** The listener's certificate and what it is signed by, the root excepted. */
  readonly cert: string
  readonly key: string
  /** Who may sign client certificates. */
  readonly ca?: string | undefined
  /** `request`: who has none may still log in with a password. Both need `ca`. Default `none`. */
  readonly clientCertificate?: 'none' | 'request' | 'require' | undefined
}

/** One listener as it is asked for. */
export interface ListenerSpec {
  /** `tcp://`, `tls://`, `ws://` or `wss://HOST:PORT`, the last two with a path too, or `unix:/PATH`. Port 0 picks a free one. */
  readonly url: string
  readonly tls?: TlsFiles | undefined
  /**
   * Web pages that may use a `ws` or `wss` listener, `https://dashboard.example`; `*` = all. A page of the same
   * numeric address or of localhost may always, and whatever is no browser names no page.
   */
  readonly origins?: readonly string[] | undefined
  /** Access mode of a Unix socket; default 0600. */
  readonly mode?: number | undefined
}

/** A listener's address, taken apart. */
export type Place =
  | { readonly transport: 'unix'; readonly path: string }
  | { readonly transport: 'tcp' | 'tls'; readonly host: string; readonly port: number }
  | {
      readonly transport: 'ws' | 'wss'
      readonly host: string
      readonly port: number
      /** The only path that is answered; null = all are. */
      readonly path: string | null
    }

const NETWORK = /^(tcp|tls|ws|wss):\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})(\/[\w./~-]*)?$/
const UNIX = /^unix:(?:\/\/)?(\/[^\0]+)$/
const ORIGIN = /^(\*|null|[a-z][a-z0-9+.-]*:\/\/(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d{1,5})?)$/
const PORT_MAX = 65_535

/** Takes a listener's URL apart. @throws BrokerError BROKER_LISTENER_INVALID, also where url, tls, origins and mode do not fit. */
export function placeOf(spec: ListenerSpec): Place {
  const fault = listenerFault(spec)
  const place = parse(spec.url)
  if (fault !== null || place === null) {
    throw new BrokerError('BROKER_LISTENER_INVALID', `${spec.url} ${fault ?? 'is no listener'}`)
  }
  return place
}

/** Why this cannot be a listener, as the end of a sentence; null where it can. Looks at no file. */
export function listenerFault(spec: string | ListenerSpec): string | null {
  const { url, tls, origins, mode } = typeof spec === 'string' ? { url: spec } : spec
  const place = parse(url)
  if (place === null) return 'must be tcp://, tls://, ws:// or wss://HOST:PORT, or unix:/PATH'
  const { transport } = place
  if (mode !== undefined && transport !== 'unix') return 'takes no `mode`: it is not a Unix socket'
  return (
    tlsFault(transport, tls) ??
    originsFault(transport, origins) ??
    (place.transport === 'unix' ? socketPathFault(place.path) : null)
  )
}

function tlsFault(transport: Transport, tls: TlsFiles | undefined): string | null {
  const encrypted = transport === 'tls' || transport === 'wss'
  if (encrypted && tls === undefined) return 'needs `tls` with `cert` and `key`'
  if (!encrypted && tls !== undefined) return 'takes no `tls`: write tls:// or wss://'
  if (tls === undefined) return null
  const asks = (tls.clientCertificate ?? 'none') !== 'none'
  if (asks && tls.ca === undefined) return 'asks for client certificates and needs `tls.ca` to check them'
  if (!asks && tls.ca !== undefined)
    return 'has a `tls.ca` that nothing uses: set `tls.clientCertificate` to request or require'
  return null
}

function originsFault(transport: Transport, origins: readonly string[] | undefined): string | null {
  if (origins === undefined) return null
  if (transport !== 'ws' && transport !== 'wss') return 'takes no `origins`: no web page comes there'
  const wrong = origins.find((origin) => !ORIGIN.test(origin))
  return wrong === undefined ? null : `has the origin ${wrong}, which is not like https://dashboard.example`
}

function socketPathFault(path: string): string | null {
  const bytes = Buffer.byteLength(path)
  return bytes > SOCKET_PATH_BYTES_MAX
    ? `has a path of ${bytes} bytes, and a Unix socket takes ${SOCKET_PATH_BYTES_MAX}`
    : null
}

function parse(url: string): Place | null {
  const unix = UNIX.exec(url)?.[1]
  if (unix !== undefined) return { transport: 'unix', path: unix }
  const match = NETWORK.exec(url)
  if (match === null || Number(match[3]) > PORT_MAX) return null
  const [, scheme, name = '', port] = match
  const transport = scheme as Exclude<Transport, 'unix'>
  const host = name.replace(/^\[|\]$/g, '')
  const path = match[4] ?? null
  if (transport === 'ws' || transport === 'wss') return { transport, host, port: Number(port), path }
  return path === null ? { transport, host, port: Number(port) } : null
}
