import { mkdtempSync, rmSync } from 'node:fs'
import { connect as dial } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mqtt, { type IClientOptions, MqttClient } from 'mqtt'
import {
  type Broker,
  type BrokerPolicy,
  createBroker,
  type ListenerSpec,
  type Principal,
  type Transport,
} from '../../../broker/index.ts'
import { Authority, type CertificateFiles } from '../../support/certificates.ts'

/** A broker on every kind of listener. Users log in with the password `right`, or with a certificate of their name. */
export interface Site {
  readonly broker: Broker<Principal>
  readonly folder: string
  readonly authority: Authority
  readonly server: CertificateFiles
  /** Address of the listener. */
  url(transport: Transport): string
  /** A client certificate of this name; the same one each time. */
  certificateOf(name: string): CertificateFiles
  stop(): Promise<void>
}

/** `clientCertificate` is what the encrypted listeners ask for. */
export async function startSite(clientCertificate: 'none' | 'request' = 'request'): Promise<Site> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-listen-'))
  const authority = new Authority(folder)
  const server = authority.server()
  const tls = clientCertificate === 'none' ? server : { ...server, ca: authority.cert, clientCertificate }
  const listeners: Record<Transport, ListenerSpec> = {
    tcp: { url: 'tcp://127.0.0.1:0' },
    tls: { url: 'tls://127.0.0.1:0', tls },
    ws: { url: 'ws://127.0.0.1:0' },
    wss: { url: 'wss://127.0.0.1:0', tls },
    unix: { url: `unix:${join(folder, 'mqtt.sock')}` },
  }
  const quiet = (): void => undefined
  const log = { info: quiet, warn: quiet, error: quiet }
  const broker = createBroker({ listen: Object.values(listeners), policy, log })
  const issued = new Map<string, CertificateFiles>()
  await broker.start(new AbortController().signal)
  return {
    broker,
    folder,
    authority,
    server,
    url: (transport) => broker.addresses()[Object.keys(listeners).indexOf(transport)] ?? '',
    certificateOf: (name) => {
      const files = issued.get(name) ?? authority.client(name)
      issued.set(name, files)
      return files
    },
    stop: async () => {
      await broker.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Everybody may do everything but see `secret`. */
const policy: BrokerPolicy<Principal> = {
  connect: ({ username, password, certificate }) => {
    const knows = password !== null && Buffer.from(password).toString() === 'right'
    const id = knows ? username : password === null ? (certificate?.commonName ?? null) : null
    return Promise.resolve(
      id === null
        ? ({ allowed: false, because: 'bad-credentials' } as const)
        : ({ allowed: true, principal: { id } } as const),
    )
  },
  principal: (id) => ({ id }),
  mayPublish: () => 'allow',
  maySubscribe: () => true,
  mayReceive: (_principal, topic) => topic !== 'secret',
}

/** Connects MQTT.js to any listener; rejects where it is refused. */
export async function connectTo(url: string, options: IClientOptions): Promise<MqttClient> {
  const all: IClientOptions = { reconnectPeriod: 0, connectTimeout: 8_000, protocolVersion: 4, ...options }
  if (!url.startsWith('unix:')) return mqtt.connectAsync(url.replace(/^tls:/, 'mqtts:'), all, false)
  const client = new MqttClient(() => dial(url.slice('unix:'.length)), all)
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => {
      resolve()
    })
    client.once('error', reject)
    client.once('close', () => {
      reject(new Error('closed'))
    })
  })
  return client
}
