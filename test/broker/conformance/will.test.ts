import { afterAll, beforeAll, expect, test } from 'vitest'
import { CONNECT } from '../wire/support.ts'
import { connectPacket, fresh, type Peer, publishPacket, said, type Site, startSite } from './support.ts'

let site: Site
beforeAll(async () => {
  site = await startSite()
})
afterAll(() => site.stop())

const willOn = (topic: string, retain = false, qos: 0 | 1 | 2 = 1) => ({
  will: { topic, payload: Buffer.from('gone'), qos, retain },
})

/** A subscriber to a topic of its own, and the topic. */
async function watched(): Promise<{ topic: string; watcher: Peer }> {
  const topic = fresh('will')
  const watcher = await site.connect()
  await watcher.subscribe([topic, 2])
  return { topic, watcher }
}

/** What the watcher has heard when a message that is published now arrives. */
async function heardUntilNow(watcher: Peer, topic: string): Promise<string[]> {
  const other = await site.connect()
  await other.publish(topic, 'now', { qos: 1 })
  return watcher.heardUntil('now')
}

const endings: [string, (peer: Peer, clientId: string) => unknown][] = [
  ['the socket closes', (peer) => peer.socket.end()],
  ['the socket is reset', (peer) => peer.socket.resetAndDestroy()],
  ['a packet is wrong [MQTT-4.8.0-1]', (peer) => peer.socket.write(Buffer.from([0x36, 0]))],
  ['a second CONNECT comes', (peer) => peer.socket.write(CONNECT)],
  ['the client id is taken over', (_peer, clientId) => site.connect({ clientId })],
  ['the keep alive runs out', () => undefined],
]
test.for(endings)('a will is published when %s [MQTT-3.1.2-8]', async ([, end]) => {
  const { topic, watcher } = await watched()
  const clientId = fresh('client')
  const peer = await site.connect({ clientId, keepalive: 1, ...willOn(topic) })
  await end(peer, clientId)
  expect(said(await watcher.take('publish'))).toBe(`${topic} gone q1`)
})

test.for([0, 1, 2] as const)('a will has the QoS %i that it was given [MQTT-3.1.2-9]', async (qos) => {
  const { topic, watcher } = await watched()
  const peer = await site.connect(willOn(topic, false, qos))
  peer.drop()
  expect(said(await watcher.take('publish'))).toBe(`${topic} gone q${qos}`)
})

test('a DISCONNECT takes the will away, also with other bytes behind it [MQTT-3.14.4-3] [MQTT-3.1.2-10]', async () => {
  const { topic, watcher } = await watched()
  const polite = await site.connect(willOn(topic))
  await polite.leave()
  const hasty = await site.connect(willOn(topic))
  hasty.send({ cmd: 'disconnect' }, Buffer.from([0x36, 0]))
  await hasty.untilClosed()
  expect(await heardUntilNow(watcher, topic)).toEqual([])
})

test('nothing is done that comes behind a DISCONNECT, and the connection closes [MQTT-3.14.4-1] [MQTT-3.14.4-2]', async () => {
  const { topic, watcher } = await watched()
  const peer = await site.connect()
  peer.send({ cmd: 'disconnect' }, publishPacket(topic, 'late', { qos: 1 }))
  expect(await peer.untilClosed()).toEqual([])
  expect(await heardUntilNow(watcher, topic)).toEqual([])
})

test('a will is published once: a session that comes back without one has none [MQTT-3.1.2-10] [MQTT-3.1.2-12]', async () => {
  const { topic, watcher } = await watched()
  const clientId = fresh('client')
  const first = await site.connect({ clientId, clean: false, ...willOn(topic) })
  first.drop()
  expect(said(await watcher.take('publish'))).toBe(`${topic} gone q1`)
  const second = await site.connect({ clientId, clean: false })
  second.drop()
  expect(await heardUntilNow(watcher, topic)).toEqual([])
})

test('the will of a refused login is never published', async () => {
  const { topic, watcher } = await watched()
  const peer = await site.dial()
  peer.send(connectPacket({ username: 'stranger', ...willOn(topic) }))
  await peer.untilClosed()
  expect(await heardUntilNow(watcher, topic)).toEqual([])
})

test.for([
  ['without retain is not kept [MQTT-3.1.2-16]', false],
  ['with retain is kept [MQTT-3.1.2-17]', true],
] as const)('a will %s', async ([, retain]) => {
  const { topic, watcher } = await watched()
  const peer = await site.connect(willOn(topic, retain))
  peer.drop()
  // To whom it is new it comes with RETAIN 0 [MQTT-3.3.1-9].
  expect(said(await watcher.take('publish'))).toBe(`${topic} gone q1`)
  const later = await site.connect()
  await later.subscribe([topic, 1])
  const other = await site.connect()
  await other.publish(topic, 'now', { qos: 1 })
  expect(await later.heardUntil('now')).toEqual(retain ? [`${topic} gone q1 retained`] : [])
})
