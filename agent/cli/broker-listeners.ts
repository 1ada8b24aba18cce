import type { ListenerSpec } from '../../broker/index.ts'
import { AgentError } from '../errors.ts'

const LISTEN_USUAL = 'tcp://127.0.0.1:1883'

/** Options of `headgate broker` that say where and how it listens. */
export interface ListenOptions {
  /** Absent = the usual place. */
  readonly listen?: readonly string[]
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly tlsCa?: string
  readonly origin?: readonly string[]
}

/** The listeners that are meant: certificates are for all that are encrypted, origins for all WebSockets. @throws AgentError USAGE */
export function listenersOf({
  listen = [LISTEN_USUAL],
  tlsCert,
  tlsKey,
  tlsCa,
  origin = [],
}: ListenOptions): ListenerSpec[] {
  const encrypted = listen.filter((url) => /^(tls|wss):/.test(url))
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw new AgentError('USAGE', '--tls-cert and --tls-key belong together')
  if (tlsCert !== undefined && encrypted.length === 0)
    throw new AgentError('USAGE', '--tls-cert needs a --listen tls:// or wss://')
  if (tlsCa !== undefined && tlsCert === undefined)
    throw new AgentError('USAGE', '--tls-ca needs --tls-cert and --tls-key')
  return listen.map((url) => ({
    url,
    ...(encrypted.includes(url) && tlsCert !== undefined && tlsKey !== undefined
      ? {
          tls: {
            cert: tlsCert,
            key: tlsKey,
            ca: tlsCa,
            clientCertificate: tlsCa === undefined ? 'none' : 'request',
          },
        }
      : {}),
    ...(origin.length > 0 && /^wss?:/.test(url) ? { origins: origin } : {}),
  }))
}
