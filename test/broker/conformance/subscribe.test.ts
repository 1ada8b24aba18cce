import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fresh, type Peer, publishPacket, said, type Site, startSite, subscribePacket } from './support.ts'

let site: Site
let publisher: Peer
beforeAll(async () => {
  site = await startSite()
  publisher = await site.connect()
})
afterAll(() => site.stop())

/** What the peer has heard when a message to `topic` that is published now arrives. */
async function heardUntilNow(peer: Peer, topic: string): Promise<string[]> {
  await publisher.publish(topic, 'now', { qos: 1 })
  return peer.heardUntil('now')
}

describe('SUBSCRIBE', () => {
  test('is answered by a SUBACK of its id [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-2.3.1-7]', async () => {
    const peer = await site.connect()
    peer.send(subscribePacket(65_535, [fresh(), 1]))
    expect(await peer.take('suback')).toMatchObject({ messageId: 65_535, granted: [1] })
  })

  test('has a code for each filter in its order, 0x80 for a refused one [MQTT-3.8.4-5] [MQTT-3.9.3-1] [MQTT-3.9.3-2]', async () => {
    const topic = fresh()
    const peer = await site.connect()
    expect(
      await peer.subscribe(
        [topic, 2],
        ['forbidden/a', 2],
        [`${topic}/#`, 0],
        ['$share/group/a', 1],
        ['+', 1],
      ),
    ).toEqual([2, 0x80, 0, 0x80, 1])
    await peer.leave()
  })

  test('with many filters is as many of one each, the last word of a filter counts [MQTT-3.8.4-4]', async () => {
    const topic = fresh()
    const peer = await site.connect()
    expect(await peer.subscribe([`${topic}/a`, 0], [`${topic}/b`, 1], [`${topic}/a`, 2])).toEqual([0, 1, 2])
    await publisher.publish(`${topic}/a`, 'x', { qos: 2 })
    await publisher.publish(`${topic}/b`, 'y', { qos: 2 })
    await publisher.publish(`${topic}/b`, 'now', { qos: 1 })
    expect(await peer.heardUntil('now')).toEqual([`${topic}/a x q2`, `${topic}/b y q1`])
  })

  test('of a filter that is there replaces it and sends the retained again, once [MQTT-3.8.4-3]', async () => {
    const topic = fresh()
    await publisher.publish(topic, 'kept', { qos: 2, retain: true })
    const peer = await site.connect()
    await peer.subscribe([topic, 2])
    expect(await heardUntilNow(peer, topic)).toEqual([`${topic} kept q2 retained`])
    await peer.subscribe([topic, 1])
    expect(await heardUntilNow(peer, topic)).toEqual([`${topic} kept q1 retained`])
    await publisher.publish(topic, 'live', { qos: 2 })
    expect(await heardUntilNow(peer, topic)).toEqual([`${topic} live q1`])
  })

  test('again and again while messages flow loses and doubles none of them [MQTT-3.8.4-3]', async () => {
    const topic = fresh()
    const peer = await site.connect()
    await peer.subscribe([topic, 1])
    for (let n = 0; n < 50; n += 1) {
      peer.send(subscribePacket(n + 1, [topic, 1]))
      publisher.send(publishPacket(topic, String(n), { qos: 1, messageId: n + 1 }))
      await publisher.take('puback')
    }
    const heard = await heardUntilNow(peer, topic)
    expect(heard).toEqual(Array.from({ length: 50 }, (_, n) => `${topic} ${n} q1`))
  })

  test('to filters of every kind is granted: wildcards are supported [MQTT-3.8.3-2]', async () => {
    const peer = await site.connect()
    const topic = fresh()
    const filters = ['#', '+', `${topic}/+/a`, `${topic}/#`, '/+', '+/+/#']
    expect(await peer.subscribe(...filters.map((filter) => [filter, 2] as [string, 2]))).toEqual(
      filters.map(() => 2),
    )
    await peer.leave()
  })
})

describe('UNSUBSCRIBE', () => {
  test('is answered by an UNSUBACK of its id [MQTT-3.10.4-4] [MQTT-2.3.1-7]', async () => {
    const topic = fresh()
    const peer = await site.connect()
    await peer.subscribe([topic, 1])
    peer.send({ cmd: 'unsubscribe', messageId: 777, unsubscriptions: [topic] })
    expect(await peer.take('unsuback')).toMatchObject({ messageId: 777 })
  })

  test('is answered also where nothing was subscribed [MQTT-3.10.4-5]', async () => {
    const peer = await site.connect()
    peer.send({ cmd: 'unsubscribe', messageId: 5, unsubscriptions: [fresh(), 'forbidden/x', '$share/g/a'] })
    expect(await peer.take('unsuback')).toMatchObject({ messageId: 5 })
  })

  test('takes away exactly the filters it names, byte by byte [MQTT-3.10.4-1]', async () => {
    const topic = fresh()
    const peer = await site.connect()
    await peer.subscribe([`${topic}/+`, 1], [`${topic}/a`, 0])
    peer.send({
      cmd: 'unsubscribe',
      messageId: 1,
      unsubscriptions: [`${topic}/#`, `${topic}/b`, `${topic.toUpperCase()}/+`, `${topic}/a`],
    })
    await peer.take('unsuback')
    await publisher.publish(`${topic}/a`, 'x', { qos: 1 })
    expect(await heardUntilNow(peer, `${topic}/b`)).toEqual([`${topic}/a x q1`])
  })

  test('ends deliveries when it is answered, of all its filters with one UNSUBACK [MQTT-3.10.4-2] [MQTT-3.10.4-6]', async () => {
    const topic = fresh()
    const peer = await site.connect()
    await peer.subscribe([`${topic}/a`, 1], [`${topic}/b`, 2], [`${topic}/c`, 1])
    peer.send({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: [`${topic}/a`, `${topic}/b`] })
    await peer.take('unsuback')
    await publisher.publish(`${topic}/a`, 'x', { qos: 1 })
    await publisher.publish(`${topic}/b`, 'y', { qos: 2 })
    expect(await heardUntilNow(peer, `${topic}/c`)).toEqual([])
  })

  test('lets what is being delivered come to its end [MQTT-3.10.4-3]', async () => {
    const topic = fresh()
    const peer = await site.connect()
    await peer.subscribe([topic, 2])
    await publisher.publish(topic, 'x', { qos: 2 })
    const { messageId } = await peer.take('publish')
    peer.send({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: [topic] })
    await peer.take('unsuback')
    peer.send({ cmd: 'pubrec', messageId: messageId ?? 0 })
    expect(await peer.take('pubrel')).toMatchObject({ messageId })
    peer.send({ cmd: 'pubcomp', messageId: messageId ?? 0 })
    expect(await peer.ping()).toEqual([])
  })

  test('lasts for a stored session too [MQTT-3.10.4-1]', async () => {
    const [clientId, topic] = [fresh('client'), fresh()]
    const first = await site.connect({ clientId, clean: false })
    await first.subscribe([`${topic}/a`, 1], [`${topic}/b`, 1])
    first.send({ cmd: 'unsubscribe', messageId: 9, unsubscriptions: [`${topic}/a`] })
    await first.take('unsuback')
    await first.leave()
    await publisher.publish(`${topic}/a`, 'x', { qos: 1 })
    await publisher.publish(`${topic}/b`, 'y', { qos: 1 })
    const again = await site.connect({ clientId, clean: false })
    expect(said(await again.take('publish'))).toBe(`${topic}/b y q1`)
    expect(await again.ping()).toEqual([])
  })
})
