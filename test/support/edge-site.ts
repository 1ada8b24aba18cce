import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import { stringify } from 'yaml'
import { type Child, createChild } from '../../agent/cli/demo/child.ts'
import { gatewayKey } from '../../agent/identity.ts'
import { askGateway } from '../../agent/local-api/client.ts'
import type { GatewayState, UsageFacts } from '../../agent/local-api/state.ts'
import { type DirectoryStore, openDirectoryStore } from '../../cloud-sync/cloud/storage/index.ts'
import { type CloudProcess, spawnCloud } from './cloud-process.ts'
import { DirectoryClient, org, type Person } from './directory-client.ts'
import { LinkProxy } from './link-proxy.ts'

const CLI = join(import.meta.dirname, '../../agent/cli/main.ts')
const READY_MS = 60_000
const STOP_MS = 10_000
const SOON_MS = 60_000
export const GATEWAY = 'GW-EDGE'

/** The topic on which a device's own program tells something: received by whoever may read the device. */
export const inTopic = (device: string): string => `headgate/${GATEWAY}/${device}/in`

export interface EdgeSiteOptions {
  /** Parts of `gateway.yaml`: lines, devices, usage. */
  readonly gateway?: { readonly uplink?: object; readonly [part: string]: unknown }
  /** Parts of `cloud.yaml`. */
  readonly cloud?: object
}
type Environment = Readonly<Record<string, string>>

/** In whose name something is asked on site: `organisation:name` and its key. */
export interface Login {
  readonly login: string
  readonly key: string
}

/** What the gateway's HTTP port answered. */
export interface SiteAnswer {
  readonly status: number
  readonly text: string
  /** Parsed; undefined where it is no JSON. */
  readonly json: unknown
}

/** Waits for something that is to become so. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const late = Date.now() + SOON_MS
  while (!(await holds())) {
    if (Date.now() > late) throw new Error(`never: ${what}`)
    await sleep(50)
  }
}

/** Readings come as lines of JSON, which is none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A client of the gateway's broker, and the texts that it was sent. */
export interface EdgeClient {
  readonly mqtt: MqttClient
  /** `topic text`. */
  readonly heard: string[]
  /** The broker had a session under its client id. */
  readonly isRestored: boolean
  /** Whether anything with this text came. */
  has(text: string): boolean
}

/**
 * A cloud and a gateway, each a process, with a link between them that can be cut. Their organisations come by HTTP; the
 * gateway belongs to whoever `begin` names.
 */
export class EdgeSite {
  readonly folder = mkdtempSync(join(tmpdir(), 'headgate-edge-'))
  /** Of the processes when they start, beside this one's. */
  env: { readonly gateway?: Environment; readonly cloud?: Environment } = {}
  readonly #options: EdgeSiteOptions
  readonly #cleanUps: (() => unknown)[] = []
  readonly #clients: MqttClient[] = []
  #cloud: CloudProcess | undefined
  #store: DirectoryStore | undefined
  #directory: DirectoryClient | undefined
  #link: LinkProxy | undefined
  #gateway: Child | undefined
  #isHolding = false
  #broker = ''
  #console = ''

  constructor(options: EdgeSiteOptions = {}) {
    this.#options = options
    this.#cleanUps.push(() => {
      rmSync(this.folder, { recursive: true, force: true })
    })
  }

  get directory(): DirectoryClient {
    if (this.#directory === undefined) throw new Error('the cloud has not begun')
    return this.#directory
  }

  get store(): DirectoryStore {
    if (this.#store === undefined) throw new Error('the cloud has not begun')
    return this.#store
  }

  /** The cloud alone, with an empty directory. */
  async beginCloud(): Promise<void> {
    const directory = join(this.folder, 'directory.yaml')
    writeFileSync(directory, stringify({ organisations: [{ id: 'seed', name: 'Seed' }] }))
    this.#cleanUps.push(() => this.#store?.close())
    await this.startCloud()
  }

  /** Starts the cloud, again where it was: then gateways find it where they left it. */
  async startCloud(): Promise<void> {
    const mqtt = [this.#cloud?.mqtt ?? 'tcp://127.0.0.1:0'].map((url) => url.replace('mqtt:', 'tcp:'))
    const directory = join(this.folder, 'directory.yaml')
    const own = { dataDir: 'cloud', directory, ...this.#options.cloud }
    writeFileSync(this.cloudConfig, stringify({ listen: { mqtt, http: '127.0.0.1:0' }, ...own }))
    const defer: Parameters<typeof spawnCloud>[1] = (cleanUp) => this.#cleanUps.push(cleanUp)
    this.#cloud = await spawnCloud(this.cloudConfig, defer, this.env.cloud)
    const data = join(this.folder, 'cloud')
    this.#store = await openDirectoryStore({ dialect: 'sqlite', path: join(data, 'organisations.db') })
    const operator = readFileSync(join(data, 'operator.token'), 'utf8').trim()
    const outbox = join(data, 'outbox')
    this.#directory = new DirectoryClient({ url: this.#cloud.http, operator, store: this.#store, outbox })
  }

  async stopCloud(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    await this.#cloud?.end(signal)
    await this.#store?.close()
  }

  /** Where gateways connect. */
  get cloudMqtt(): string {
    return this.#cloud?.mqtt ?? ''
  }

  get cloudConfig(): string {
    return join(this.folder, 'cloud.yaml')
  }

  get gatewayConfig(): string {
    return join(this.folder, 'gateway.yaml')
  }

  /** Registers the gateway for an organisation and starts it. */
  async beginGateway(organisation: string): Promise<void> {
    const data = join(this.folder, 'gateway')
    mkdirSync(data, { mode: 0o700 })
    const { publicKey } = gatewayKey(data)
    const registered = { org: organisation, gateway: GATEWAY, publicKey }
    await this.directory.do('operator', 'POST /v1/operator/gateways', registered)
    const { port } = new URL(this.#cloud?.mqtt ?? '')
    this.#link = new LinkProxy(
      { host: '127.0.0.1', port: Number(port) },
      (topic) => this.#isHolding && topic.endsWith('/up/prop'),
    )
    const link = this.#link
    const linkPort = await link.start()
    this.#cleanUps.push(() => link.stop())
    const config = this.gatewayConfig
    const cloud = { url: `mqtt://127.0.0.1:${linkPort}`, trust: this.#cloud?.trust }
    const own = { gateway: { id: GATEWAY, dataDir: 'gateway' }, broker: { listen: ['tcp://127.0.0.1:0'] } }
    const { uplink, ...more } = this.#options.gateway ?? {}
    const linked = { ...own, cloud, uplink: { reconnectMax: '1s', ...uplink } }
    writeFileSync(config, stringify({ ...linked, log: { level: 'warn' }, ...more }))
    const gateway = createChild({
      name: 'gateway',
      args: [CLI, 'gateway', '--config', config],
      logFile: join(this.folder, 'gateway.log'),
      readyMs: READY_MS,
      env: this.env.gateway ?? {},
    })
    this.#gateway = gateway
    this.#cleanUps.push(() => gateway.stop(STOP_MS))
    await this.startGateway()
  }

  async startGateway(): Promise<void> {
    const ready = await this.#gateway?.start()
    this.#broker = String((ready?.['broker'] as string[])[0])
    this.#console = String(ready?.['console'])
    await until('a policy is in force', async () => (await this.policyVersion()) > 0)
  }

  async stopGateway(): Promise<void> {
    await this.#gateway?.stop(STOP_MS)
  }

  async killGateway(): Promise<void> {
    await this.#gateway?.kill()
  }

  cutLink(): void {
    if (this.#link === undefined) return
    this.#link.isRefusing = true
    this.#link.cut()
  }

  mendLink(): void {
    if (this.#link !== undefined) this.#link.isRefusing = false
  }

  /** The link stays as it is, but the changes that are made on site wait on it until they are released. */
  holdChanges(): void {
    this.#isHolding = true
  }

  releaseChanges(): void {
    this.#isHolding = false
    this.#link?.release()
  }

  async state(): Promise<GatewayState> {
    return (await askGateway(join(this.folder, 'gateway'), '/v1/status')) as GatewayState
  }

  /** Asks the gateway's HTTP port, where `console` opens one; with a body it is a POST. */
  async console(path: string, { login, key }: Login, body?: object): Promise<SiteAnswer> {
    const response = await fetch(`${this.#console}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${login}:${key}`).toString('base64')}`,
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, text, json: parsed(text) }
  }

  /** Something on the gateway's own socket, in somebody's name where one is given. */
  socket(path: string, by?: Login, body?: object): Promise<unknown> {
    return askGateway(join(this.folder, 'gateway'), path, {
      ...(body === undefined ? {} : { body }),
      ...(by === undefined ? {} : { login: { name: by.login, key: by.key } }),
    })
  }

  /** What the gateway has counted, by organisation and meter. */
  async usage(): Promise<UsageFacts[]> {
    return (await askGateway(join(this.folder, 'gateway'), '/v1/usage')) as UsageFacts[]
  }

  async policyVersion(): Promise<number> {
    return (await this.state()).policy.version
  }

  /** Puts devices of an organisation on the gateway, and an API key for who does it: the login `organisation:name`. */
  async addDevices(by: Person, organisation: string, devices: readonly string[]): Promise<string> {
    const path = `POST ${org(organisation, `/gateways/${GATEWAY}/devices`)}`
    for (const device of devices) await this.directory.do(by, path, { device, name: device })
    return this.directory.key(by, organisation)
  }

  /** Somebody new, as a member with a key that the gateway knows. */
  async member(
    name: string,
    { of, by, role = 'member' }: { of: string; by: Person; role?: string },
  ): Promise<{ who: Person; key: string; login: string }> {
    const who = await this.directory.person(name)
    await this.directory.joins(who, { to: of, by, role })
    return { who, key: await this.inForce(() => this.directory.key(who, of)), login: `${of}:${name}` }
  }

  /** Changes the directory and waits until the gateway decides by it. */
  async inForce<T>(change: () => Promise<T>): Promise<T> {
    const before = await this.policyVersion()
    const changed = await change()
    await until('the change is in force', async () => (await this.policyVersion()) > before)
    return changed
  }

  /** Connects; rejects where the broker refuses. */
  async connect(login: string, key: string, options: IClientOptions = {}): Promise<EdgeClient> {
    const client = mqtt.connect(this.#broker, {
      username: login,
      password: key,
      reconnectPeriod: 0,
      ...options,
    })
    this.#clients.push(client)
    const heard: string[] = []
    client.on('message', (topic, payload) => heard.push(`${topic} ${payload.toString()}`))
    const isRestored = await new Promise<boolean>((resolve, reject) => {
      client.once('connect', ({ sessionPresent }) => {
        resolve(sessionPresent)
      })
      client.once('error', reject)
    })
    client.on('error', () => undefined)
    return { mqtt: client, heard, isRestored, has: (text) => heard.some((line) => line.endsWith(` ${text}`)) }
  }

  /** Ends everything, also after half a beginning. */
  async end(): Promise<void> {
    for (const client of this.#clients) client.end(true)
    for (const cleanUp of this.#cleanUps.reverse()) await cleanUp()
  }
}
