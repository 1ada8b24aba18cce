import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import { onTestFinished } from 'vitest'
import { stringify } from 'yaml'
import { sha256 } from '../../cloud-sync/codec/index.ts'
import { PolicySnapshot } from '../../cloud-sync/contract/index.ts'
import { headgateJson, type RunningCli, startHeadgate, testFolder } from './cli.ts'
import { freePort } from './free-port.ts'
import { PolicySigner } from './policy-signer.ts'

const KEY = { ana: 'a'.repeat(64), bea: 'b'.repeat(64) }
const HOUR = 3_600_000
export const DAY = 24 * HOUR

/**
 * A real gateway process whose link to the cloud is cut (nobody listens where its cloud should be); policies come by file.
 * Ana is of the gateway's own organisation, Bea of another that is shown the device.
 */
export class PolicySite {
  readonly signer = new PolicySigner()
  readonly folder = testFolder()
  readonly config = join(this.folder, 'gateway.yaml')
  gateway: RunningCli | undefined
  readonly #more: object
  #files = 0

  /** @param more parts of `gateway.yaml`: lines, devices, console */
  constructor(more: object = {}) {
    this.#more = more
  }

  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const text = `gateway: { id: GW-000123, dataDir: data }
broker: { listen: ["tcp://127.0.0.1:0"] }
cloud: { url: "mqtt://127.0.0.1:${await freePort()}", trust: "${this.signer.root.publicKey}" }
${Object.keys(this.#more).length === 0 ? '' : stringify(this.#more)}`
    writeFileSync(this.config, text)
    this.gateway = await startHeadgate(['gateway', '--config', this.config], { env })
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.gateway?.end(signal)
  }

  policy(version: number, change: Partial<PolicySnapshot> = {}): PolicySnapshot {
    const issuedAt = change.issuedAt ?? Date.UTC(2026, 10, 22) + version
    const people = [
      { org: 'acme', name: 'ana', role: 'owner', incarnation: 1 },
      { org: 'borealis', name: 'bea', role: 'owner', incarnation: 1 },
    ]
    return PolicySnapshot.parse({
      v: 2,
      gateway: 'GW-000123',
      generation: this.signer.generation,
      version,
      issuedAt,
      freshUntil: issuedAt + DAY,
      hardUntil: issuedAt + 30 * DAY,
      owner: { org: 'acme', ownerEpoch: 1 },
      organisations: [
        { id: 'acme', name: 'Acme' },
        { id: 'borealis', name: 'Borealis' },
      ],
      members: people,
      keys: people.map(({ org, name }) => ({
        org,
        name,
        member: name,
        incarnation: 1,
        hash: sha256(Buffer.from(KEY[name as keyof typeof KEY])),
      })),
      devices: [{ id: 'tilt-1', org: 'acme', ownerEpoch: 1 }],
      policies: [{ id: 'p-1', from: 'acme', to: 'borealis' }],
      grants: [
        {
          id: 'g-1',
          on: { kind: 'device', device: 'tilt-1' },
          to: { kind: 'org', org: 'borealis' },
          level: 'viewer',
          ownerEpoch: 1,
          via: 'p-1',
        },
      ],
      critical: [],
      ...change,
    })
  }

  /** `headgate policy apply`: `applied`, `same` or the refusal. */
  async apply(bytes: Uint8Array): Promise<string> {
    this.#files += 1
    const file = join(this.folder, `policy-${this.#files}.bin`)
    writeFileSync(file, bytes)
    const { json } = await headgateJson(['policy', 'apply', file, '--config', this.config])
    if (json['applied'] === true) return 'applied'
    if (json['because'] === 'same') return 'same'
    const { code, message } = json['error'] as { code: string; message: string }
    return code === 'POLICY_REFUSED' ? message.replace('the gateway refuses it: ', '') : code
  }

  async show(): Promise<Record<string, unknown>> {
    return (await headgateJson(['policy', 'show', '--config', this.config])).json
  }

  /** Why somebody may or may not, as the running gateway decides it now; `allowed` where they may. */
  async why(who: string, right: string, thing: string): Promise<string> {
    const { json } = await headgateJson(['why', who, right, thing, '--config', this.config])
    return json['allowed'] === true ? 'allowed' : String(json['because'])
  }

  /** A client of somebody's; rejects where the broker refuses. */
  async client(name: keyof typeof KEY, options: IClientOptions = {}): Promise<MqttClient> {
    const [url] = this.gateway?.ready['broker'] as string[]
    const { login, key } = this.login(name)
    const client = await mqtt.connectAsync(url ?? '', {
      username: login,
      password: key,
      reconnectPeriod: 0,
      ...options,
    })
    onTestFinished(() => client.endAsync(true))
    return client.on('error', () => undefined)
  }

  login(name: keyof typeof KEY): { login: string; key: string } {
    return { login: `${name === 'ana' ? 'acme' : 'borealis'}:${name}`, key: KEY[name] }
  }

  /** Logs in with a key of the policy; false where the broker refuses. */
  async logsIn(name: keyof typeof KEY): Promise<boolean> {
    const [url] = this.gateway?.ready['broker'] as string[]
    const username = `${name === 'ana' ? 'acme' : 'borealis'}:${name}`
    const client = mqtt.connect(url ?? '', { username, password: KEY[name], reconnectPeriod: 0 })
    onTestFinished(() => client.endAsync(true))
    return new Promise((resolve) => {
      client.once('connect', () => {
        resolve(true)
      })
      client.once('error', () => {
        resolve(false)
      })
    })
  }
}
