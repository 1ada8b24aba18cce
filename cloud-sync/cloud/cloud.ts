import { randomBytes, randomUUID } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Broker, createBroker } from '../../broker/index.ts'
import { type Alerting, createAlerting } from './alerting/index.ts'
import { createApp } from './api/index.ts'
import { startBills } from './bills.ts'
import type { Claims } from './claims.ts'
import type { GatewayChanges } from './gateway-changes.ts'
import { type CloudConfig, isServer } from './config.ts'
import { createCuts, type Cuts } from './cuts.ts'
import { evidenceForOrganisations, evidenceOf } from './evidence.ts'
import { type CloudPrincipal, cloudGate, INGEST_LOGIN } from './gate.ts'
import { createLink, type Link } from './ingest/index.ts'
import { type CloudKeys, openKeys } from './keys/index.ts'
import type { OrgDirectory, WorkspaceUsage } from './directory/index.ts'
import type { Log } from './log.ts'
import { startOrganisations } from './organisations.ts'
import { type Policies, startPolicies } from './policies/index.ts'
import { ledgerUsage, type Quotas, startQuotas } from './quotas/index.ts'
import { serveHttp } from './serve.ts'
import { gatewaysHeard } from './shards.ts'
import {
  type CloudDatabase,
  type DatabaseTarget,
  type DirectoryReader,
  type DirectoryStore,
  gatewaysSeen,
  markOffline,
  openLedger,
  usageDays,
} from './storage/index.ts'
import { type GatewayId, SyncError } from '../contract/index.ts'

const SECRET_BYTES = 32
const KEYS_LOOKED_AT_MS = 5_000
const HOUR_MS = 3_600_000

export interface RunningCloud {
  /** Addresses of the embedded broker, `tcp://HOST:PORT`; empty with an external one. */
  readonly mqtt: readonly string[]
  readonly http: string
  /** Root public key for a gateway's `cloud.trust`. */
  readonly trust: string
  /** Reads the certificates of the embedded broker again; open connections stay. @throws BrokerError BROKER_TLS_INVALID */
  renewCertificates(): Promise<void>
  /** Stops everything in reverse; resolves when all that came is committed. */
  stop(): Promise<void>
}

export interface CloudRuntime {
  readonly log: Log
  /** Stops the cloud when aborted, also in the middle of the start. */
  readonly signal: AbortSignal
}

/** Starts the cloud; throws SyncError with every fault of configuration, directory, database, keys or listeners. */
export async function startCloud(config: CloudConfig, { log, signal }: CloudRuntime): Promise<RunningCloud> {
  const started: (() => Promise<void>)[] = []
  let stopping: Promise<void> | undefined
  const stop = (): Promise<void> => (stopping ??= stopInReverse(started, log))
  try {
    const cloud = await startParts(config, { log, signal, started })
    signal.addEventListener('abort', () => void stop(), { once: true })
    return { ...cloud, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function stopInReverse(started: (() => Promise<void>)[], log: Log): Promise<void> {
  for (const stopOne of started.reverse()) {
    try {
      await stopOne()
    } catch (error) {
      log.error({ err: error }, 'a part did not stop well')
    }
  }
}

interface Starting extends CloudRuntime {
  /** Ways to stop what was started, in order. */
  readonly started: (() => Promise<void>)[]
}

async function startParts(config: CloudConfig, starting: Starting): Promise<Omit<RunningCloud, 'stop'>> {
  const { log, signal, started } = starting
  const now = Date.now
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 })
  const keys = openKeys(config.dataDir)
  const db = await openLedger(ledgerTarget(config))
  started.push(() => db.close())
  const known = (await gatewaysSeen(db.read)).filter(gatewaysHeard(config))
  await markOffline(db.write, known)
  const organisations = await startOrganisations(config, { keys, log, usage: usageIn(db) })
  started.push(() => organisations.stop())
  signal.throwIfAborted()
  const { directory, store, claims, changes, verifyLog } = organisations
  const monoMs = (): number => performance.now()
  const { policies, cuts } = await startPolicing(config, { ...starting, directory, store, keys, monoMs })
  const offlineAfterMs = config.alerts.offlineAfterS * 1_000
  const { watch } = directory
  const alerting = createAlerting({ watch, db, known, rules: store.read, log, monoMs, offlineAfterMs })
  started.push(() => alerting.stop())
  const quotas = startQuotas({ ...organisations, log, now, monoMs, newId: randomUUID })
  started.push(() => quotas.stop())
  const { broker, link } = await startLink(config, {
    db,
    quotas,
    policies,
    claims,
    changes,
    keys,
    applied: async (said) => {
      await policies.applied(said.gateway, said.order.version)
      await cuts.applied(said)
    },
    alerting,
    ...starting,
  })
  signal.throwIfAborted()
  const counts = () => ({
    ingest: link.counts(),
    broker: broker?.stats() ?? null,
    policies: { gateways: policies.gateways().length, troubles: policies.troubles() },
  })
  const evidence = { ...evidenceOf({ db, read: store.read, cloudId: keys.cloudId }), keys, log }
  const forOrganisations = evidenceForOrganisations(evidence)
  const billing = await startBills(config, {
    ...{ db, directory, store, log, started },
    evidence: forOrganisations,
  })
  const app = createApp({
    db,
    directory,
    billing,
    policies,
    log,
    trust: keys.rootPublicKey,
    newId: randomUUID,
    trustedProxies: config.http.trustedProxies,
    operator: { token: operatorToken(config.dataDir), now, counts, evidence, verifyLog, say: link.say },
  })
  const http = await serveHttp(app, config.listen.http)
  started.push(() => http.stop())
  signal.throwIfAborted()
  return {
    // Without the one that is only for the ingest.
    mqtt: broker?.addresses().slice(0, config.listen.mqtt?.length) ?? [],
    http: http.url,
    trust: keys.rootPublicKey,
    renewCertificates: () => broker?.reloadCertificates() ?? Promise.resolve(),
  }
}

interface Policing extends Starting {
  readonly directory: OrgDirectory
  readonly store: DirectoryStore
  readonly keys: CloudKeys
  readonly monoMs: () => number
}

/** What gateways are told, under the keys of the moment, and who takes over when they have heard it. */
async function startPolicing(
  config: CloudConfig,
  { directory, store, keys, monoMs, log, signal, started }: Policing,
): Promise<{ policies: Policies; cuts: ReturnType<typeof createCuts> }> {
  const { freshHours, hardDays } = config.policy
  const terms = { freshMs: freshHours * HOUR_MS, hardMs: hardDays * 24 * HOUR_MS }
  const policies = await startPolicies({ store, keys, now: Date.now, monoMs, log, terms })
  started.push(() => policies.stop())
  const watching = watchKeys(keys, policies, log)
  started.push(() => {
    clearInterval(watching)
    return Promise.resolve()
  })
  signal.throwIfAborted()
  const cuts = createCuts({ directory, store, log })
  const unlisten = policies.onSealed((gateway) => {
    void cuts.sealed(gateway)
  })
  started.push(() => {
    unlisten()
    return Promise.resolve()
  })
  return { policies, cuts }
}

/** What the ledger says of workspaces. */
const usageIn =
  (db: CloudDatabase) =>
  (read: DirectoryReader): WorkspaceUsage =>
    ledgerUsage({
      days: (asked) => usageDays(db.read, asked),
      gatewaysOf: async (org) =>
        (await read.find('gateway_presence', { org })).map(({ gateway }) => gateway as GatewayId),
    })

/** Beside the directory where that is on a server; else a file of its own. */
function ledgerTarget({ database, dataDir }: CloudConfig): DatabaseTarget {
  return database !== undefined && isServer(database)
    ? { dialect: 'postgres', url: database }
    : { dialect: 'sqlite', path: join(dataDir, 'cloud.db') }
}

/** Takes a keyset that was installed meanwhile without a restart; a newer generation gets new versions of every policy. */
function watchKeys(keys: CloudKeys, policies: Policies, log: Log): NodeJS.Timeout {
  const look = async (): Promise<void> => {
    const { generation } = keys
    if (!keys.reload()) return
    log.info({ generation: keys.generation, version: keys.version }, 'another keyset is in use')
    if (keys.generation !== generation) await policies.recheck()
  }
  return setInterval(() => {
    look().catch((error: unknown) => {
      log.error({ err: error }, 'the keys cannot be read again; those that were in use stay in use')
    })
  }, KEYS_LOOKED_AT_MS).unref()
}

async function startLink(
  config: CloudConfig,
  parts: Starting & {
    db: CloudDatabase
    policies: Policies
    claims: Claims
    changes: GatewayChanges
    keys: CloudKeys
    applied: Cuts['applied']
    alerting: Alerting
    quotas: Quotas
  },
): Promise<{ broker: Broker<CloudPrincipal> | undefined; link: Link }> {
  const { db, policies, claims, changes, keys, applied, alerting, quotas, log, signal, started } = parts
  const ingestSecret = randomBytes(SECRET_BYTES).toString('base64url')
  const policy = cloudGate({
    cloudId: keys.cloudId,
    ingestSecret,
    publicKeyOf: (id) => policies.gateway(id)?.publicKey,
  })
  const { mqtt } = config.listen
  const broker =
    mqtt === undefined ? undefined : createBroker({ listen: withPlainListener(mqtt), policy, log })
  if (broker !== undefined) {
    await broker.start(signal)
    started.push(() => broker.stop())
  }
  const own = broker?.addresses().find((address) => address.startsWith('tcp:')) ?? ''
  const embedded = { url: own, username: INGEST_LOGIN, password: ingestSecret }
  const session = {
    ...(config.broker === undefined ? embedded : externalBroker(config.broker)),
    // Several clouds may be on one broker: with one name each would end the session of the other.
    clientId: config.broker === undefined ? INGEST_LOGIN : `${INGEST_LOGIN}.${randomUUID()}`,
  }
  const { shards } = config
  const link = createLink({
    db,
    policies,
    claims,
    changes,
    keys,
    now: Date.now,
    log,
    broker: session,
    shards,
    applied,
    heard: (outcomes) => {
      alerting.heard(outcomes)
      quotas.posted()
    },
  })
  await link.start()
  started.push(() => link.stop())
  return { broker, link }
}

type MqttListeners = NonNullable<CloudConfig['listen']['mqtt']>

/** The ingest is a client of the embedded broker; where every listener is encrypted it gets one on loopback. */
const withPlainListener = (listeners: MqttListeners): MqttListeners =>
  listeners.some(({ url }) => url.startsWith('tcp:'))
    ? listeners
    : [...listeners, { url: 'tcp://127.0.0.1:0' }]

function externalBroker({ url, username, password, ca, cert, key }: NonNullable<CloudConfig['broker']>) {
  const files = Object.entries({ ca, cert, key }).flatMap(([name, path]) =>
    path === undefined ? [] : [[name, certificateFile(path)] as const],
  )
  return {
    url,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...Object.fromEntries(files),
  }
}

function certificateFile(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new SyncError('CLOUD_CONFIG_INVALID', `${path} cannot be read`, { cause })
  }
}

/** Made once, 0600: whoever can read it runs this cloud. */
function operatorToken(dataDir: string): string {
  const path = join(dataDir, 'operator.token')
  if (!existsSync(path)) {
    writeFileSync(path, `${randomBytes(SECRET_BYTES).toString('base64url')}\n`, { mode: 0o600 })
  }
  chmodSync(path, 0o600)
  return readFileSync(path, 'utf8').trim()
}
