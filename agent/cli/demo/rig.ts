import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { extname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gatewayKey } from '../../identity.ts'
import { askGateway } from '../../local-api/client.ts'
import type { GatewayState } from '../../local-api/state.ts'
import { GATEWAY_ENV, GATEWAY_NODE_FLAGS } from '../node-flags.ts'
import { type Child, createChild } from './child.ts'
import { type CloudAccess, revokeShare } from './cloud-facts.ts'
import { type DemoLayout, directoryText, gatewayText, KEY_NAME } from './layout.ts'
import { type CountedLink, createLink } from './link.ts'
import type { Answered, Outage } from './reckoning.ts'
import { createWatcher, type Watcher } from './watcher.ts'

/** The field side: simulated devices on a wire, or a real port. */
export interface Field {
  start(): Promise<void>
  stop(): Promise<void>
  /** The `lines` entry of gateway.yaml. */
  line(): Readonly<Record<string, unknown>>
  unplug(ms: number): Promise<void>
  /** No device of this id (of any, where null) answers for so long; false where nobody can make it so. */
  silence(device: string | null, ms: number): Promise<boolean>
  /** What the devices answered by their own log; null where they keep none. */
  answered(): readonly Answered[] | null
}

export interface RigOptions {
  readonly layout: DemoLayout
  readonly field: Field
  /** An empty folder of its own. */
  readonly dir: string
  /** Added to the environment of the gateway. */
  readonly gatewayEnv?: Readonly<Record<string, string>>
  /** Another link than a good one, to the port of the cloud. */
  readonly link?: (targetPort: () => number) => CountedLink
}

/** How long a killed gateway's hardware process may still ask devices. */
const AFTERMATH_MS = 500
const READY_MS = 60_000
const STOP_MS = 10_000

/** Everything of the demo, each part in a process of its own, to be killed and started again. */
export class Rig {
  readonly layout: DemoLayout
  readonly field: Field
  readonly link: CountedLink
  readonly watchers: readonly Watcher[]
  readonly outages: Outage[] = []
  readonly gatewayDir: string
  readonly #dir: string
  readonly #gateway: Child
  readonly #cloud: Child
  #cloudReady: Record<string, unknown> = {}
  #brokerPort = 0
  #linkPort = 0
  #cloudMqttPort = 0

  constructor(options: RigOptions) {
    this.layout = options.layout
    this.field = options.field
    this.#dir = options.dir
    this.gatewayDir = join(options.dir, 'gateway')
    this.link = (options.link ?? createLink)(() => this.#cloudMqttPort)
    const log = (name: string): string => join(options.dir, `${name}.log`)
    const child = (name: string, args: string[], env: Readonly<Record<string, string>> = {}): Child =>
      createChild({ name, args, env, logFile: log(name), readyMs: READY_MS })
    const gatewayConfig = join(options.dir, 'gateway.yaml')
    const cloudConfig = join(options.dir, 'cloud.yaml')
    const gateway = [...GATEWAY_NODE_FLAGS, program('../main'), 'gateway', '--config', gatewayConfig]
    this.#gateway = child('gateway', gateway, { ...GATEWAY_ENV, ...options.gatewayEnv })
    this.#cloud = child('cloud', [program('../../../cloud-sync/cloud/main'), '--config', cloudConfig])
    this.watchers = this.layout.organisations.map(({ id }) =>
      createWatcher({
        organisation: id,
        name: KEY_NAME,
        key: this.layout.keys[id] ?? '',
        url: () => `mqtt://127.0.0.1:${this.#brokerPort}`,
      }),
    )
  }

  /** Starts the field, the cloud, the link, the gateway and the clients, in this order. */
  async start(): Promise<void> {
    mkdirSync(this.gatewayDir, { recursive: true, mode: 0o700 })
    await this.field.start()
    this.#cloudMqttPort = await freePort()
    this.#brokerPort = await freePort()
    const httpPort = await freePort()
    const directory = directoryText(this.layout, gatewayKey(this.gatewayDir).publicKey)
    this.#write('directory.yaml', directory)
    const cloud = {
      listen: { mqtt: [`tcp://127.0.0.1:${this.#cloudMqttPort}`], http: `127.0.0.1:${httpPort}` },
      dataDir: 'cloud',
      directory: 'directory.yaml',
    }
    this.#write('cloud.yaml', JSON.stringify(cloud))
    this.#cloudReady = await this.#cloud.start()
    this.#linkPort = await this.link.start()
    this.#writeGateway(this.layout)
    await this.#gateway.start()
    for (const watcher of this.watchers) await watcher.start()
  }

  /** Stops all, also after half a start. */
  async stop(): Promise<void> {
    for (const watcher of this.watchers) await watcher.stop()
    await this.#gateway.stop(STOP_MS)
    await this.link.stop()
    await this.#cloud.stop(STOP_MS)
    await this.field.stop()
  }

  /** SIGKILL of the gateway; it is started again, as its service manager would. */
  async killGateway(): Promise<void> {
    const from = Date.now()
    await this.#gateway.kill()
    this.outages.push({ from, to: Date.now() + AFTERMATH_MS })
    await this.#gateway.start()
  }

  /** SIGKILL of the hardware process; the gateway starts it again by itself. */
  async killHardware(): Promise<void> {
    const pid = (await this.gatewayState())?.hardware['pid']
    if (typeof pid !== 'number') return
    this.outages.push({ from: Date.now(), to: Date.now() + AFTERMATH_MS })
    process.kill(pid, 'SIGKILL')
  }

  /** SIGKILL of the cloud; nothing may be lost by it, so it is no outage. */
  async killCloud(): Promise<void> {
    await this.#cloud.kill()
    this.#cloudReady = await this.#cloud.start()
  }

  async cutLink(ms: number): Promise<void> {
    this.link.cut()
    await sleep(ms)
    this.link.mend()
  }

  async unplug(ms: number): Promise<void> {
    const from = Date.now()
    await this.field.unplug(ms)
    this.outages.push({ from, to: Date.now() + AFTERMATH_MS })
  }

  /** Ends the taking of readings, so that all that was taken can drain. */
  async quiet(ms: number): Promise<void> {
    if (await this.field.silence(null, ms)) return
    await this.#gateway.stop(STOP_MS)
    this.#writeGateway({ ...this.layout, devices: [] })
    await this.#gateway.start()
  }

  /** What the gateway says of itself; undefined while it is away. */
  async gatewayState(): Promise<GatewayState | undefined> {
    return askGateway(this.gatewayDir, '/v1/status').then(
      (state) => state as GatewayState,
      () => undefined,
    )
  }

  /** The owner of the shared device takes the share back, in the cloud. */
  async revoke(grant = this.layout.share.id): Promise<boolean> {
    const org =
      this.layout.devices.find((device) => device.id === this.layout.share.device)?.organisation ?? ''
    const login = { org, name: KEY_NAME, key: this.layout.keys[org] ?? '' }
    return revokeShare(this.#http(), login, grant)
  }

  cloud(): CloudAccess {
    const token = readFileSync(join(this.#dir, 'cloud', 'operator.token'), 'utf8').trim()
    return { http: this.#http(), token }
  }

  parts(): { name: string; running: boolean }[] {
    return [
      { name: 'gateway', running: this.#gateway.running() },
      { name: 'cloud', running: this.#cloud.running() },
    ]
  }

  #http(): string {
    const http = String(this.#cloudReady['http'])
    return http.startsWith('http') ? http : `http://${http}`
  }

  #writeGateway(layout: DemoLayout): void {
    const places = {
      dataDir: this.gatewayDir,
      linkPort: this.#linkPort,
      brokerPort: this.#brokerPort,
      trust: String(this.#cloudReady['trust']),
      line: this.field.line(),
    }
    this.#write('gateway.yaml', gatewayText(layout, places))
  }

  #write(name: string, text: string): void {
    writeFileSync(join(this.#dir, name), text, { mode: 0o600 })
  }
}

/** A program file next to this one: `.ts` in a checkout, `.js` in a build. */
const program = (path: string): string =>
  resolve(import.meta.dirname, `${path}${extname(import.meta.filename)}`)

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
