import { setTimeout as sleep } from 'node:timers/promises'
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt'
import { type GatewayId, type Hash, type PolicyOrder, SyncError, upFilter } from '../../contract/index.ts'
import { sha256 } from '../../codec/index.ts'
import type { Policies } from '../policies/index.ts'
import type { Claims } from '../claims.ts'
import type { GatewayChanges } from '../gateway-changes.ts'
import type { CloudKeys } from '../keys/index.ts'
import type { Log } from '../log.ts'
import type { CloudDatabase } from '../storage/index.ts'
import { createIntake } from './intake.ts'
import { createLanes } from './lanes.ts'
import { type Incoming, type Opened, REFUSALS, type Refused } from './open.ts'
import { createSender, type Sender, type SenderSettings } from './sender.ts'
import type { Outcome } from './posting.ts'
import type { LedgerWorker, WorkerCounts } from './worker.ts'

/** Seconds between pings; the broker is near. */
const KEEPALIVE_S = 30
const RECONNECT_MS = 1_000
const CONNECT_TIMEOUT_MS = 10_000
const LEAVE_TIMEOUT_MS = 3_000

export interface LinkSettings {
  readonly db: CloudDatabase
  readonly policies: Policies
  readonly claims: Claims
  readonly changes: GatewayChanges
  readonly keys: CloudKeys
  /** Wall clock, epoch ms. */
  readonly now: () => number
  readonly log: Log
  readonly broker: { readonly url: string } & Pick<
    IClientOptions,
    'clientId' | 'username' | 'password' | 'ca' | 'cert' | 'key'
  >
  /** A gateway has said, signed, which policy is in force there. */
  readonly applied: (said: { gateway: GatewayId; order: PolicyOrder; acknowledged: Hash }) => Promise<void>
  /** Called with what was committed, after the answers to it. */
  readonly heard: (outcomes: readonly Outcome[]) => void
  /** Shards to take, two hex digits each; absent = all. */
  readonly shards: readonly string[] | undefined
}

export interface IngestCounts extends WorkerCounts {
  received: number
  refused: Record<Refused, number>
}

/** The cloud's session with its broker: everything from gateways comes in here, and all answers go out. */
export interface Link {
  /** Resolves when the subscription is granted; throws where the broker refuses it. */
  start(): Promise<void>
  /** Takes nothing more, commits what came, answers it, and leaves. */
  stop(): Promise<void>
  counts(): IngestCounts
  /** Says to gateways what was decided elsewhere and is committed. */
  readonly say: (outcomes: readonly Outcome[]) => void
}

export function createLink(settings: LinkSettings): Link {
  const { policies, claims, keys, log, now } = settings
  let client: MqttClient | undefined
  let unlisten = (): void => undefined
  let received = 0
  let dropped = 0
  const refused = Object.fromEntries(REFUSALS.map((why) => [why, 0])) as Record<Refused, number>

  /** Nothing is queued for a broker that is gone. */
  const send: SenderSettings['send'] = ({ topic, payload, retain }) => {
    if (client?.connected !== true) return
    client.publish(topic, Buffer.from(payload), { qos: 1, retain }, (error) => {
      if (error) log.warn({ err: error, topic }, 'not sent')
    })
  }
  const sender = createSender({ policies, claims, keys, now, log, send })
  const worker = workerOf(settings, sender)
  const hear = (opened: Opened, payload: Uint8Array): void => {
    if (!opened.ok) {
      refused[opened.because] += 1
      return
    }
    const { incoming } = opened
    worker.offer(incoming)
    if (incoming.what === 'want') heardOfPolicy(settings, incoming, sha256(payload))
  }
  const publicKeyOf = (id: GatewayId): string | undefined => policies.gateway(id)?.publicKey
  const intake = createIntake({ cloudId: keys.cloudId, publicKeyOf }, hear)
  const take = (topic: string, payload: Buffer): void => {
    received += 1
    if (!intake.take(topic, payload)) dropped += 1
  }

  return {
    async start() {
      client = await connected(settings.broker.url, {
        ...settings.broker,
        protocolVersion: 4,
        clean: true,
        keepalive: KEEPALIVE_S,
        reconnectPeriod: RECONNECT_MS,
        connectTimeout: CONNECT_TIMEOUT_MS,
      })
      client.on('message', take)
      client.on('error', (error) => {
        log.warn({ err: error }, 'broker connection')
      })
      const stops = [policies.onSealed(sender.policyChanged), claims.onNews(sender.claimNews)]
      unlisten = () => {
        for (const stop of stops) stop()
      }
      const filters = (settings.shards ?? ['+']).map(upFilter)
      const granted = await client.subscribeAsync(filters, { qos: 1 })
      if (granted.some(({ qos }) => qos > 1)) throw refusedBy(settings.broker.url)
    },
    async stop() {
      unlisten()
      client?.removeListener('message', take)
      await intake.idle()
      await worker.idle()
      if (client !== undefined) await leave(client)
    },
    counts: () => {
      const counts = worker.counts
      return { ...counts, dropped: counts.dropped + dropped, received, refused: { ...refused } }
    },
    say: sender.afterCommit,
  }
}

/** Which policy is in force at a gateway, and which of its changes it has forgotten. */
function heardOfPolicy(
  { changes, applied }: LinkSettings,
  { gateway, want }: Extract<Incoming, { what: 'want' }>,
  acknowledged: Hash,
): void {
  const { generation, applied: version, changes: standing } = want
  if (standing !== undefined) void changes.lost(gateway, standing)
  void applied({ gateway, order: { generation, version }, acknowledged })
}

function workerOf({ db, now, log, claims, changes, heard }: LinkSettings, sender: Sender): LedgerWorker {
  const committed = (outcomes: readonly Outcome[]): void => {
    sender.afterCommit(outcomes)
    heard(outcomes)
  }
  return createLanes({ db, now, monoMs: () => performance.now(), log, committed, claims, changes })
}

async function connected(url: string, options: IClientOptions): Promise<MqttClient> {
  try {
    return await connectAsync(url, options)
  } catch (cause) {
    throw refusedBy(url, { cause })
  }
}

const refusedBy = (url: string, options?: ErrorOptions): SyncError =>
  new SyncError('CLOUD_BROKER_REFUSED', `the broker at ${url} refuses the cloud's session`, options)

/** Waits for what is on its way to be received, but not for ever: the broker may be gone. */
async function leave(client: MqttClient): Promise<void> {
  const patience = new AbortController()
  const outOfPatience = sleep(LEAVE_TIMEOUT_MS, undefined, { signal: patience.signal }).then(
    () => client.end(true),
    () => undefined,
  )
  await Promise.race([client.endAsync(), outOfPatience])
  patience.abort()
}
