import type { GatewayId, Stream } from '../contract/index.ts'
import type { SigningKey } from '../codec/index.ts'
import type { Budgets, LaneFactors } from './lanes.ts'
import type { ChangeOutbox, MembershipSink, Outbox, UplinkClock, UplinkLog } from './ports.ts'

export interface UplinkOptions {
  /** `mqtt://HOST:PORT` or `mqtts://HOST:PORT`. */
  readonly url: string
  /** PEM texts for `mqtts`. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string }
  readonly gatewayId: GatewayId
  readonly key: SigningKey
  /** `cloud.trust`: the cloud's root public key, base64. */
  readonly trust: string
  readonly outbox: Outbox
  readonly membership: MembershipSink
  /** Changes of who may do what that were made here; absent = none are. */
  readonly changes?: ChangeOutbox
  readonly clock: UplinkClock
  /** From 0 to below 1. */
  readonly random: () => number
  readonly log: UplinkLog
  readonly bootId: string
  /** Software version, told in `up/status`. */
  readonly sw: string
  /** Seconds; long, because every ping costs: a dead link is found by missing acknowledgements. Default 900. */
  readonly keepaliveS?: number
  readonly budgets?: Budgets
  /** Longest wait before connecting again, ms. Default 120,000. */
  readonly reconnectMaxMs?: number
  /** Every wait but the one for CONNACK is multiplied by this; 1 but in tests. */
  readonly timeScale?: number
  /** The cloud's signed clock, epoch ms, just received; only ever newer ones. */
  readonly onTrustedTime?: (serverTime: number) => void
  /** A batch was given to the socket; `bytes` are those of its whole packet. Repeats too: they cost the same. */
  readonly onSent?: (sent: {
    readonly stream: Stream
    readonly body: Uint8Array
    readonly bytes: number
  }) => void
  /** What the cloud says about claiming, as it came; it is signed, and whoever takes it checks that. */
  readonly onClaim?: (message: Uint8Array) => Promise<void>
}

export type UplinkState = 'stopped' | 'waiting' | 'connecting' | 'online'

export interface StreamReport {
  /** Everything up to here is in the ledger, as far as this process has heard. */
  readonly acknowledged: number
  /** Batches sent and not yet acknowledged on this connection. */
  readonly unacknowledged: number
  /** Batches sent since the start of this process, repeats included; and the repeats. */
  readonly sent: number
  readonly resent: number
}

export interface UplinkStatus {
  readonly state: UplinkState
  /** Losses in a row; 0 on a link that held for a minute. */
  readonly failures: number
  readonly connects: number
  /** Bytes of the TCP streams since the start of this process. */
  readonly bytesOut: number
  readonly bytesIn: number
  /** Own address of the connection: tells which interface it goes by; null while there is none. */
  readonly localAddress: string | null
  /** Keep-alive pings since the start of this process. */
  readonly pings: number
  /** Messages from the cloud's topics that were not properly signed for this gateway. */
  readonly refused: number
  readonly streams: Readonly<Record<'usage' | 'rd' | 'rd/h' | 'evt', StreamReport>>
}

/** The gateway's end of the link: one connection, kept up for ever. */
export interface Uplink {
  /** Begins to connect and returns; `signal` stops it as `stop` does. */
  start(signal: AbortSignal): Promise<void>
  /** Says goodbye where there is a connection, and resolves when nothing of it is left. */
  stop(): Promise<void>
  /** Live and back-fill send at a share of their rates from now on; control is never slowed. */
  slow(factors: LaneFactors): void
  status(): UplinkStatus
}
