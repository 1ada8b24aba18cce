import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { Aedes } from 'aedes'
import {
  cloudIdOf,
  generateKeyPair,
  openMessage,
  openSnapshot,
  sealKeyset,
  sealSnapshot,
  signingKey,
} from '../../../cloud-sync/codec/index.ts'
import { Epoch, GatewayId, type Keyset, StoredPolicySnapshot } from '../../../cloud-sync/contract/index.ts'
import {
  createUplink,
  type MembershipSink,
  type Outbox,
  type PolicyOutcome,
  type Uplink,
  type UplinkOptions,
} from '../../../cloud-sync/gateway/index.ts'
import { LinkProxy } from '../../support/link-proxy.ts'
import { MemoryOutbox } from './memory-outbox.ts'
import { RecordingCloud } from './recording-cloud.ts'

export const gatewayId = GatewayId.parse('GW-000123')
export const gatewayKey = signingKey(generateKeyPair().privateKey)
export const root = signingKey(generateKeyPair().privateKey)
export const cloudKey = signingKey(generateKeyPair().privateKey)
export const stranger = signingKey(generateKeyPair().privateKey)

/** 1/50: an acknowledgement is missed after 0.6 s, reconnecting takes up to 0.1 s. */
const TIME_SCALE = 0.02

export function snapshotOf(version: number, keyset: Keyset, key = cloudKey): Uint8Array {
  const snapshot = StoredPolicySnapshot.parse({
    v: 1,
    gateway: gatewayId,
    version,
    issuedAt: 0,
    gatewayOrg: 'acme',
    organisations: [{ id: 'acme', name: 'Acme' }],
    members: [],
    keys: [],
    devices: [],
    shares: [],
    critical: [],
  })
  return sealSnapshot({ keyset: sealKeyset(keyset, root), snapshot, key })
}
export const keysetOf = (version: number, ...keys: { publicKey: string }[]): Keyset => ({
  v: 2,
  generation: 1,
  version,
  keys: keys.map(({ publicKey }) => publicKey),
})

/** Verifies and keeps a snapshot, in memory. */
export class MemoryMembership implements MembershipSink {
  #version = 0
  #keyset: Keyset | undefined

  version(): number {
    return this.#version
  }
  keyset(): Keyset | undefined {
    return this.#keyset
  }
  apply(message: Uint8Array): Promise<PolicyOutcome> {
    const opened = openSnapshot({
      rootPublicKey: root.publicKey,
      gateway: gatewayId,
      bytes: message,
      newestKeyset: this.#keyset,
    })
    if (!opened.ok) return Promise.resolve({ applied: false, because: opened.because })
    this.#keyset = opened.keyset
    const { version } = opened.snapshot
    if (version <= this.#version) return Promise.resolve({ applied: false, because: 'same' })
    this.#version = version
    return Promise.resolve({ applied: true, version })
  }
}

/** An aedes on loopback that checks the gateway's signed login; over TLS where a certificate is given. */
export async function startAedes(tls?: {
  cert: string
  key: string
}): Promise<{ port: number; stop: () => Promise<void> }> {
  const broker = await Aedes.createBroker({
    authenticate: (client, _username, password, done) => {
      if (client.id !== gatewayId) {
        done(null, true)
        return
      }
      const opened = openMessage({
        kind: 'login',
        recipient: cloudIdOf(root.publicKey),
        message: Buffer.from(String(password), 'base64'),
        publicKeyFor: () => gatewayKey.publicKey,
      })
      done(null, opened.ok && Buffer.from(opened.body).toString() === gatewayId)
    },
  })
  const server = tls === undefined ? createServer(broker.handle) : createTlsServer(tls, broker.handle)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      await new Promise<void>((resolve) => {
        broker.close(resolve)
      })
      server.close()
    },
  }
}

export interface Bench {
  readonly proxy: LinkProxy
  readonly cloud: RecordingCloud
  readonly outbox: MemoryOutbox
  readonly membership: MemoryMembership
  readonly uplink: Uplink
  readonly brokerUrl: string
  readonly log: string[]
  stop(): Promise<void>
}

export interface BenchOptions {
  readonly brokerPort: number
  /** Stands between the uplink and its ports. */
  readonly around?: <T extends Outbox | MembershipSink>(port: T) => T
  readonly uplink?: Partial<UplinkOptions>
}

const causeOf = (detail: object): string =>
  'err' in detail && detail.err instanceof Error ? detail.err.message : ''

/** Broker, proxy, cloud and an uplink that is not started yet. */
export async function makeBench({
  brokerPort,
  around = (port) => port,
  uplink = {},
}: BenchOptions): Promise<Bench> {
  const proxy = new LinkProxy({ host: '127.0.0.1', port: brokerPort })
  const port = await proxy.start()
  const brokerUrl = `mqtt://127.0.0.1:${String(brokerPort)}`
  const cloudId = cloudIdOf(root.publicKey)
  const cloud = new RecordingCloud({
    gateway: gatewayId,
    gatewayKey: gatewayKey.publicKey,
    cloudId,
    key: cloudKey,
  })
  cloud.snapshot = snapshotOf(7, keysetOf(1, cloudKey))
  await cloud.start(brokerUrl)
  const outbox = new MemoryOutbox(Epoch.parse('5f'.repeat(16)))
  const membership = new MemoryMembership()
  const log: string[] = []
  const link = createUplink({
    url: `mqtt://127.0.0.1:${String(port)}`,
    gatewayId,
    key: gatewayKey,
    trust: root.publicKey,
    outbox: around(outbox),
    membership: around(membership),
    clock: {
      now: () => performance.now(),
      after: (delayMs, run) => {
        const timer = setTimeout(run, delayMs)
        return () => {
          clearTimeout(timer)
        }
      },
    },
    random: Math.random,
    log: {
      info: (_detail, message) => void log.push(message),
      warn: (detail, message) => void log.push(`${message} ${causeOf(detail)}`),
    },
    bootId: 'boot-1',
    sw: '0.1.0',
    timeScale: TIME_SCALE,
    ...uplink,
  })
  return {
    proxy,
    cloud,
    outbox,
    membership,
    uplink: link,
    brokerUrl,
    log,
    stop: async () => {
      await link.stop()
      await cloud.stop()
      await proxy.stop()
    },
  }
}
