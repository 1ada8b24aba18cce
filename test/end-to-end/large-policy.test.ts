import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { gatewayKey } from '../../agent/identity.ts'
import { askGateway } from '../../agent/local-api/client.ts'
import type { GatewayState } from '../../agent/local-api/state.ts'
import { startHeadgate, testFolder } from '../support/cli.ts'
import { spawnCloud, writeConfig } from '../support/cloud-process.ts'
import { LinkProxy } from '../support/link-proxy.ts'

/** With the owner, as many as an organisation may have. */
const PEOPLE = 4_999
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Everybody has a key; every tenth is shown the device by name. */
function directoryText(publicKey: string): string {
  const names = Array.from({ length: PEOPLE }, (_, at) => `m-${at}`)
  return JSON.stringify({
    organisations: [{ id: 'acme', name: 'Acme' }],
    members: [
      { organisation: 'acme', name: 'ana', role: 'owner' },
      ...names.map((name) => ({ organisation: 'acme', name, role: 'member' })),
    ],
    keys: names.map((name) => ({ organisation: 'acme', name, member: name, hash: sha256(`key ${name}`) })),
    gateways: [{ id: 'GW-000123', organisation: 'acme', publicKey }],
    devices: [{ gateway: 'GW-000123', id: 'tilt-1', organisation: 'acme' }],
    shares: names
      .filter((_, at) => at % 10 === 0)
      .map((name) => ({
        id: `s-${name}`,
        gateway: 'GW-000123',
        device: 'tilt-1',
        to: { organisation: 'acme', member: name },
      })),
  })
}

test('a gateway of 5,000 people gets its policy over MQTT, in parts', async () => {
  const folder = testFolder()
  const dataDir = join(folder, 'gateway')
  mkdirSync(dataDir, { mode: 0o700 })
  writeFileSync(join(folder, 'directory.yaml'), directoryText(gatewayKey(dataDir).publicKey))
  const cloud = await spawnCloud(writeConfig(folder, 'directory.yaml'), onTestFinished)
  const { hostname: host, port } = new URL(cloud.mqtt)
  const proxy = new LinkProxy({ host, port: Number(port) })
  const linkPort = await proxy.start()
  onTestFinished(() => proxy.stop())
  const config = join(folder, 'gateway.yaml')
  writeFileSync(
    config,
    `gateway: { id: GW-000123, dataDir: gateway }
broker: { listen: ["tcp://127.0.0.1:0"] }
cloud: { url: "mqtt://127.0.0.1:${linkPort}", trust: "${cloud.trust}" }
uplink: { reconnectMax: 1s }
`,
  )
  const gateway = await startHeadgate(['gateway', '--config', config])
  const state = async () => (await askGateway(dataDir, '/v1/status')) as GatewayState
  await expect
    .poll(async () => (await state()).policy.version, { timeout: 60_000, interval: 300 })
    .toBeGreaterThan(0)
  // The last of them logs in and is let in: every part is there.
  const [mqtt = ''] = (gateway.ready['broker'] ?? gateway.ready['mqtt'] ?? []) as string[]
  const client = await connectAsync(mqtt.replace('tcp:', 'mqtt:'), {
    clientId: 'last',
    username: `acme:m-${PEOPLE - 1}`,
    password: `key m-${PEOPLE - 1}`,
    reconnectPeriod: 0,
  })
  await client.endAsync()
}, 120_000)
