import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { Aedes } from 'aedes'
import mqtt, { type MqttClient } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import {
  type AedesPersistenceOptions,
  SqlitePersistence,
} from '../../../broker/persistence/aedes-persistence.ts'
import { listOf, openStore, storeFolder } from './support.ts'

interface Running {
  readonly url: string
  readonly persistence: SqlitePersistence
  stop(): Promise<void>
}

/** Plain aedes on this folder: what it stores is what a restart finds. */
async function startAedes(folder: string, options: Partial<AedesPersistenceOptions> = {}): Promise<Running> {
  const { store, sessions, storage } = openStore(folder)
  const persistence = new SqlitePersistence(store, { sessions, ...options })
  const aedes = await Aedes.createBroker({ persistence })
  const server = createServer((socket) => {
    aedes.handle(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = async (): Promise<void> => {
    await new Promise<void>((resolve) => {
      aedes.close(resolve)
    })
    server.close()
    storage.close()
  }
  onTestFinished(stop)
  return { url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`, persistence, stop }
}

async function connect(url: string, clientId: string, more: mqtt.IClientOptions = {}): Promise<MqttClient> {
  const client = await mqtt.connectAsync(url, { clientId, clean: false, reconnectPeriod: 0, ...more })
  onTestFinished(() => {
    client.end(true)
  })
  return client
}

test('plain aedes on it keeps subscriptions, queues and retained messages over a restart', async () => {
  const folder = storeFolder()
  const first = await startAedes(folder)
  const reader = await connect(first.url, 'reader')
  await reader.subscribeAsync('site/#', { qos: 2 })
  await reader.endAsync()
  const meter = await connect(first.url, 'meter')
  await meter.publishAsync('site/a', 'one', { qos: 1 })
  await meter.publishAsync('site/b', 'two', { qos: 2 })
  await meter.publishAsync('other', 'three', { qos: 1, retain: true })
  await meter.endAsync()
  await first.stop()

  const second = await startAedes(folder)
  const received: string[] = []
  const again = mqtt.connect(second.url, { clientId: 'reader', clean: false, reconnectPeriod: 0 })
  onTestFinished(() => {
    again.end(true)
  })
  again.on('message', (topic, payload) => received.push(`${topic} ${payload.toString()}`))
  const sessionPresent = await new Promise((resolve) => {
    again.on('connect', (connack) => {
      resolve(connack.sessionPresent)
    })
  })
  expect(sessionPresent).toBe(true)
  await again.subscribeAsync('other', { qos: 1 })
  await expect.poll(() => received.toSorted()).toEqual(['other three', 'site/a one', 'site/b two'])
})

test('a broker that runs gives aedes no wills, but keeps them for a start', async () => {
  const folder = storeFolder()
  const first = await startAedes(folder)
  await connect(first.url, 'watched', {
    will: { topic: 'gone', payload: Buffer.from('bye'), qos: 1, retain: false },
  })
  await expect.poll(() => first.persistence.getWill({ id: 'watched' })).toMatchObject({ topic: 'gone' })
  expect(await listOf(first.persistence.streamWill({}))).toEqual([])
  const givesOut = new SqlitePersistence(openStore(':memory:').store, { sessions: [], givesOutWills: true })
  await givesOut.putWill({ id: 'x' }, { topic: 'gone', payload: Buffer.from('bye') })
  expect(await listOf(givesOut.streamWill({}))).toHaveLength(1)
})
