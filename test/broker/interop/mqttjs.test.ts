import { readFileSync } from 'node:fs'
import type { IClientOptions, IPublishPacket, MqttClient } from 'mqtt'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { havePeer, testWith } from '../../support/peers.ts'
import type { Transport } from '../../../broker/index.ts'
import { until } from '../support.ts'
import { connectTo, type Site, startSite } from './site.ts'

const LARGE = Buffer.alloc(100_000, 'x')
let site: Site
const clients: MqttClient[] = []

beforeAll(async () => {
  if (havePeer('openssl')) site = await startSite()
})
afterAll(async () => {
  if (!havePeer('openssl')) return
  await Promise.all(clients.map((client) => client.endAsync(true)))
  await site.stop()
})

interface Heard {
  readonly client: MqttClient
  readonly messages: { topic: string; payload: Buffer; packet: IPublishPacket }[]
}

async function connect(transport: Transport, name: string, more: IClientOptions = {}): Promise<Heard> {
  const withCertificate = transport === 'tls' || transport === 'wss'
  const { cert, key } = withCertificate ? site.certificateOf(name) : { cert: null, key: null }
  const login =
    cert === null
      ? { username: name, password: 'right' }
      : { cert: readFileSync(cert), key: readFileSync(key), ca: readFileSync(site.authority.cert) }
  const clientId = `${transport}-${name}`
  const client = await connectTo(site.url(transport), { clientId, ...login, ...more })
  clients.push(client)
  const messages: Heard['messages'] = []
  client.on('message', (topic, payload, packet) => messages.push({ topic, payload, packet }))
  return { client, messages }
}

const TRANSPORTS = ['tcp', 'tls', 'ws', 'wss', 'unix'] as const
describe.for(TRANSPORTS)('MQTT.js over %s', (transport) => {
  const from = `t/${transport}`

  testWith('openssl')('exchanges each quality of service, both ways, and large payloads', async () => {
    const ana = await connect(transport, 'ana')
    const ben = await connect('tcp', `ben-${transport}`)
    await ana.client.subscribeAsync(`${from}/down/#`, { qos: 2 })
    await ben.client.subscribeAsync(`${from}/up/#`, { qos: 2 })
    for (const qos of [0, 1, 2] as const) {
      await ana.client.publishAsync(`${from}/up/${qos}`, LARGE, { qos })
      await ben.client.publishAsync(`${from}/down/${qos}`, LARGE, { qos })
    }
    const all = [0, 1, 2]
    await until(() => ana.messages.length === 3 && ben.messages.length === 3)
    expect(ana.messages.map(({ packet }) => packet.qos)).toEqual(all)
    expect(ben.messages.map(({ packet }) => packet.qos)).toEqual(all)
    for (const { payload } of [...ana.messages, ...ben.messages]) expect(payload.equals(LARGE)).toBe(true)
  })

  testWith('openssl')('gets retained messages, and its will when it is gone', async () => {
    const will = { topic: `${from}/will`, payload: Buffer.from('gone'), qos: 1, retain: false } as const
    const ana = await connect(transport, 'ana-w', { will })
    const ben = await connect('tcp', `ben-w-${transport}`)
    await ben.client.subscribeAsync(will.topic, { qos: 1 })
    await ben.client.publishAsync(`${from}/kept`, 'kept', { qos: 1, retain: true })
    await ana.client.subscribeAsync(`${from}/kept`, { qos: 1 })
    await until(() => ana.messages.length === 1)
    expect(ana.messages[0]?.packet.retain).toBe(true)
    ana.client.stream.destroy()
    await until(() => ben.messages.length === 1)
    expect(ben.messages[0]?.payload.toString()).toBe('gone')
  })

  testWith('openssl')('finds its session again', async () => {
    const session = { clean: false }
    const before = await connect(transport, 'ana-s', session)
    await before.client.subscribeAsync(`${from}/queue`, { qos: 1 })
    await before.client.endAsync()
    const ben = await connect('tcp', `ben-s-${transport}`)
    for (const n of [1, 2, 3]) await ben.client.publishAsync(`${from}/queue`, String(n), { qos: 1 })
    const after = await connect(transport, 'ana-s', session)
    await until(() => after.messages.length === 3)
    expect(after.messages.map(({ payload }) => payload.toString())).toEqual(['1', '2', '3'])
  })

  testWith('openssl')('is refused with a wrong password', async () => {
    const wrong = { username: 'ana', password: 'wrong', ca: readFileSync(site.authority.cert) }
    await expect(connectTo(site.url(transport), wrong)).rejects.toThrow(/refused/i)
  })
})
