import type { ClientCertificate, Transport } from './listen/index.ts'

/** Credentials of a CONNECT as they came. */
export interface Credentials {
  readonly clientId: string
  readonly username: string | null
  readonly password: Uint8Array | null
  /** `address:port`, or `unix`. */
  readonly remote: string
  readonly transport: Transport
  /** Verified by the `ca` of the listener; null where there is none. */
  readonly certificate: ClientCertificate | null
}

/** Who stands behind a connection. Two connections with the same `id` are the same principal. */
export interface Principal {
  readonly id: string
}

export type ConnectAnswer<P extends Principal> =
  | { readonly allowed: true; readonly principal: P }
  /** `unavailable` = no policy yet, ask again; the others are final. */
  | { readonly allowed: false; readonly because: 'bad-credentials' | 'not-authorised' | 'unavailable' }

export interface PublishQuestion {
  readonly topic: string
  readonly retain: boolean
  readonly qos: 0 | 1 | 2
  readonly payloadBytes: number
}

/**
 * The one question-and-answer of the broker. Asked at connect, publish, subscribe AND at every delivery
 * (a session restored, a queue, a retained message and a revoked right all pass only there).
 * Generic in the principal: the broker knows no organisations.
 */
export interface BrokerPolicy<P extends Principal> {
  connect(credentials: Credentials): Promise<ConnectAnswer<P>>
  /** Who this id stands for now, without a login: for stored sessions and wills. Undefined for nobody any more. */
  principal(id: string): P | undefined
  /** `quarantine`: acknowledged, counted, delivered to nobody, so that a misconfigured device does not reconnect for ever. */
  mayPublish(principal: P, question: PublishQuestion): 'allow' | 'quarantine'
  maySubscribe(principal: P, filter: string): boolean
  /** Must be fast: it is asked for every delivery. */
  mayReceive(principal: P, topic: string): boolean
}
