import { readFileSync } from 'node:fs'
import { createUplink, DEFAULT_BUDGETS, type LaneFactors } from '../cloud-sync/gateway/index.ts'
import type { SentMessage } from './cellular/index.ts'
import type { ClaimService } from './claim/index.ts'
import type { GatewayClock } from './clock/index.ts'
import type { CloudConfig, Config } from './config/config.ts'
import { gatewayKey } from './identity.ts'
import type { Log } from './log.ts'
import { systemTicker } from './schedule/ticker.ts'
import type { Store } from './storage/index.ts'
import { VERSION } from './version.ts'

/** The gateway's link to its cloud, as the rest of the agent sees it. */
export interface Link {
  start(signal: AbortSignal): Promise<void>
  stop(): Promise<void>
  /** Called with each batch that is given to the socket. */
  onSent(listener: (sent: SentMessage) => void): void
  /** Sends more slowly from now on. */
  slow(factors: LaneFactors): void
  /** Bytes and keep-alive pings of its connections since the start, and the address that it goes by now. */
  traffic(): { readonly bytes: number; readonly pings: number; readonly localAddress: string | null }
  facts(): Readonly<Record<string, number | string | boolean | null>>
}

interface LinkParts {
  readonly config: Config
  readonly store: Store
  readonly clock: GatewayClock
  readonly log: Log
  /** Takes what the cloud says about claiming. */
  readonly claim: Pick<ClaimService, 'deliver'> | null
}

/** Joins the store's outbox, the gateway's key and the configured cloud. Throws where a named PEM file cannot be read. */
export function createLink(cloud: CloudConfig, { config, store, clock, log, claim }: LinkParts): Link {
  const listeners: ((sent: SentMessage) => void)[] = []
  const { keepaliveMs, reconnectMaxMs, liveBytesPerSecond, backfillBytesPerSecond } = config.uplink
  const uplink = createUplink({
    url: cloud.url,
    tls: pemTexts(cloud),
    gatewayId: config.gateway.id,
    key: gatewayKey(config.gateway.dataDir),
    trust: cloud.trust,
    outbox: store.outbox,
    membership: store.policy,
    changes: store.changes,
    clock: systemTicker,
    random: Math.random,
    log,
    bootId: clock.bootId,
    sw: VERSION,
    reconnectMaxMs,
    keepaliveS: Math.round(keepaliveMs / 1000),
    budgets: {
      ...DEFAULT_BUDGETS,
      live: { ...DEFAULT_BUDGETS.live, bytesPerSecond: liveBytesPerSecond },
      backfill: { ...DEFAULT_BUDGETS.backfill, bytesPerSecond: backfillBytesPerSecond },
    },
    onClaim: async (message) => {
      if ((await claim?.deliver(message)) !== true) log.warn({}, 'what came about claiming was refused')
    },
    onSent: (sent) => {
      for (const listener of listeners) listener(sent)
    },
    onTrustedTime: (serverTime) => {
      clock.learn(serverTime)
      store.policyTime.learn(serverTime)
    },
  })
  return {
    start: (signal) => uplink.start(signal),
    stop: () => uplink.stop(),
    onSent: (listener) => {
      listeners.push(listener)
    },
    slow: (factors) => {
      uplink.slow(factors)
    },
    traffic() {
      const { bytesOut, bytesIn, pings, localAddress } = uplink.status()
      return { bytes: bytesOut + bytesIn, pings, localAddress }
    },
    facts() {
      const { state, failures, connects, bytesOut, bytesIn, refused, streams } = uplink.status()
      const resent = Object.values(streams).reduce((sum, stream) => sum + stream.resent, 0)
      return { state, failures, connects, bytesOut, bytesIn, refused, resent }
    },
  }
}

function pemTexts({ ca, cert, key }: CloudConfig): { ca?: string; cert?: string; key?: string } {
  const text = (path: string): string => readFileSync(path, 'utf8')
  return {
    ...(ca === null ? {} : { ca: text(ca) }),
    ...(cert === null || key === null ? {} : { cert: text(cert), key: text(key) }),
  }
}
