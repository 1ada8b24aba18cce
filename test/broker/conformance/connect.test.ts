import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { field, packet } from '../wire/support.ts'
import { connectPacket, fresh, publishPacket, type Site, startSite, subscribePacket } from './support.ts'

let site: Site
beforeAll(async () => {
  site = await startSite()
})
afterAll(() => site.stop())

describe('the first packet', () => {
  test('a packet before CONNECT closes the connection without a word [MQTT-3.1.0-1]', async () => {
    const peer = await site.dial()
    peer.send({ cmd: 'pingreq' })
    expect(await peer.untilClosed()).toEqual([])
  })

  test('a second CONNECT closes the connection [MQTT-3.1.0-2]', async () => {
    const peer = await site.connect()
    peer.send(connectPacket())
    expect(await peer.untilClosed()).toEqual([])
  })

  test('a CONNECT is answered with return code 0, before all else [MQTT-3.1.4-4] [MQTT-3.2.0-1]', async () => {
    const [clientId, topic] = [fresh('client'), fresh()]
    const first = await site.connect({ clientId, clean: false })
    await first.subscribe([topic, 1])
    await first.leave()
    const other = await site.connect()
    await other.publish(topic, 'waiting', { qos: 1 })
    const again = await site.dial()
    again.send(connectPacket({ clientId, clean: false }), { cmd: 'pingreq' })
    expect(await again.take('connack')).toMatchObject({ returnCode: 0, sessionPresent: true })
  })

  test('what comes in one segment with CONNECT is done after it, in order [MQTT-7.1.1-1]', async () => {
    const topic = fresh()
    const peer = await site.dial()
    peer.send(
      connectPacket(),
      subscribePacket(1, [topic, 1]),
      publishPacket(topic, 'x', { qos: 1, messageId: 2 }),
    )
    await peer.take('connack')
    expect(await peer.take('suback')).toMatchObject({ messageId: 1, granted: [1] })
    const two = [await peer.next(), await peer.next()]
    expect(two.map((packet) => packet?.cmd).sort()).toEqual(['puback', 'publish'])
  })

  test('a CONNECT that is wrong gets no CONNACK at all [MQTT-3.1.4-1] [MQTT-3.2.2-6]', async () => {
    const peer = await site.dial()
    peer.send(packet(0x10, field('MQTT'), [4, 3, 0, 0], field('id'))) // the reserved flag
    expect(await peer.untilClosed()).toEqual([])
  })
})

describe('a session', () => {
  test('that is stored is present again, with its subscriptions and messages [MQTT-3.1.2-4] [MQTT-3.1.2-5] [MQTT-3.2.2-2]', async () => {
    const [clientId, topic] = [fresh('client'), fresh()]
    const first = await site.connect({ clientId, clean: false })
    await first.subscribe([topic, 2])
    await first.leave()
    const other = await site.connect()
    await other.publish(topic, 'one', { qos: 1 })
    await other.publish(topic, 'two', { qos: 2 })
    const again = await site.dial()
    again.send(connectPacket({ clientId, clean: false }))
    expect(await again.take('connack')).toMatchObject({ sessionPresent: true })
    await other.publish(topic, 'three', { qos: 1 })
    expect(await again.heardUntil('three')).toEqual([`${topic} one q1`, `${topic} two q2`])
  })

  test('is not present where there is none [MQTT-3.2.2-3]', async () => {
    const peer = await site.dial()
    peer.send(connectPacket({ clean: false }))
    expect(await peer.take('connack')).toMatchObject({ sessionPresent: false, returnCode: 0 })
  })

  test('is present also where it never subscribed [MQTT-3.2.2-2]', async () => {
    const clientId = fresh('client')
    const first = await site.connect({ clientId, clean: false })
    await first.leave()
    const again = await site.dial()
    again.send(connectPacket({ clientId, clean: false }))
    expect(await again.take('connack')).toMatchObject({ sessionPresent: true, returnCode: 0 })
  })

  test('that is stored ends with a clean CONNECT, which leaves none either [MQTT-3.1.2-6] [MQTT-3.1.4-3] [MQTT-3.2.2-1]', async () => {
    const [clientId, topic] = [fresh('client'), fresh()]
    const first = await site.connect({ clientId, clean: false })
    await first.subscribe([topic, 1])
    await first.leave()
    const other = await site.connect()
    await other.publish(topic, 'queued', { qos: 1 })
    const clean = await site.dial()
    clean.send(connectPacket({ clientId, clean: true }))
    expect(await clean.take('connack')).toMatchObject({ sessionPresent: false })
    await other.publish(topic, 'live', { qos: 1 })
    expect(await clean.ping()).toEqual([])
    await clean.subscribe([topic, 1])
    await clean.leave()
    const last = await site.dial()
    last.send(connectPacket({ clientId, clean: false }))
    expect(await last.take('connack')).toMatchObject({ sessionPresent: false })
    await other.publish(topic, 'later', { qos: 1 })
    expect(await last.ping()).toEqual([])
  })

  test('that ends leaves its retained messages [MQTT-3.1.2-7]', async () => {
    const topic = fresh()
    const first = await site.connect({ clean: true })
    await first.publish(topic, 'kept', { qos: 1, retain: true })
    await first.leave()
    const other = await site.connect()
    await other.subscribe([topic, 1])
    expect(await other.take('publish')).toMatchObject({ retain: true })
  })

  test('is found by the client id and nothing else [MQTT-3.1.3-2]', async () => {
    const [clientId, topic] = [fresh('client'), fresh()]
    const first = await site.connect({ clientId, clean: false })
    await first.subscribe([topic, 1])
    await first.leave()
    const other = await site.dial()
    other.send(connectPacket({ clientId: `${clientId}x`, clean: false }))
    expect(await other.take('connack')).toMatchObject({ sessionPresent: false })
  })

  test('lasts as long as its connection, clean or not [MQTT-4.1.0-1] [MQTT-4.1.0-2]', async () => {
    const topic = fresh()
    const [clean, stored] = [await site.connect({ clean: true }), await site.connect({ clean: false })]
    await clean.subscribe([topic, 1])
    await stored.subscribe([topic, 1])
    const other = await site.connect()
    for (let n = 0; n < 20; n += 1) await other.publish(topic, String(n), { qos: 1 })
    await other.publish(topic, 'end', { qos: 1 })
    expect(await clean.heardUntil('end')).toHaveLength(20)
    expect(await stored.heardUntil('end')).toHaveLength(20)
  })
})

describe('the client id', () => {
  test.for(['a', '0123456789abcdefghijABC', 'DEFGHIJKLMNOPQRSTUVWXYZ', 'klmnopqrstuvwxyz'])(
    '%s is allowed [MQTT-3.1.3-5]',
    async (clientId) => {
      const peer = await site.connect({ clientId })
      await peer.leave()
    },
  )

  test('that is empty is replaced by one of its own for each client [MQTT-3.1.3-6]', async () => {
    const [first, second] = [await site.connect({ clientId: '' }), await site.connect({ clientId: '' })]
    expect(await first.ping()).toEqual([])
    expect(await second.ping()).toEqual([])
  })

  test('that is empty is rejected with a stored session [MQTT-3.1.3-8] [MQTT-3.1.3-9]', async () => {
    const peer = await site.dial()
    peer.send(packet(0x10, field('MQTT'), [4, 0, 0, 0], field('')))
    expect(await peer.untilClosed()).toMatchObject([{ cmd: 'connack', returnCode: 2, sessionPresent: false }])
  })

  test('that is connected already closes the older connection [MQTT-3.1.4-2]', async () => {
    const clientId = fresh('client')
    const first = await site.connect({ clientId })
    const second = await site.connect({ clientId })
    expect(await first.untilClosed()).toEqual([])
    expect(await second.ping()).toEqual([])
  })

  test('that is taken over keeps its stored session [MQTT-3.1.4-2] [MQTT-3.1.2-4]', async () => {
    const [clientId, topic] = [fresh('client'), fresh()]
    const first = await site.connect({ clientId, clean: false })
    await first.subscribe([topic, 1])
    const second = await site.dial()
    second.send(connectPacket({ clientId, clean: false }))
    expect(await second.take('connack')).toMatchObject({ sessionPresent: true })
    await first.untilClosed()
    const other = await site.connect()
    await other.publish(topic, 'x', { qos: 1 })
    expect(await second.take('publish')).toMatchObject({ topic })
  })
})

describe('a refused login', () => {
  test('is told by its return code, without a session, then closed [MQTT-3.2.2-4] [MQTT-3.2.2-5]', async () => {
    const peer = await site.dial()
    peer.send(connectPacket({ username: 'stranger', clean: false }))
    expect(await peer.untilClosed()).toMatchObject([{ cmd: 'connack', returnCode: 4, sessionPresent: false }])
  })

  test('lets nothing pass that was sent with it [MQTT-3.1.4-5]', async () => {
    const topic = fresh()
    const other = await site.connect()
    await other.subscribe([topic, 1])
    const peer = await site.dial()
    peer.send(
      connectPacket({ username: 'stranger' }),
      publishPacket(topic, 'smuggled', { qos: 1, retain: true }),
      subscribePacket(2, [topic, 1]),
    )
    expect((await peer.untilClosed()).map(({ cmd }) => cmd)).toEqual(['connack'])
    await (await site.connect()).publish(topic, 'end', { qos: 1 })
    expect(await other.heardUntil('end')).toEqual([])
  })

  test('of MQTT 5 is told in its own form, other levels in ours [MQTT-3.1.2-2]', async () => {
    const five = await site.dial()
    const answer: Buffer[] = []
    five.socket.removeAllListeners('data').on('data', (chunk: Buffer) => answer.push(chunk))
    five.send(packet(0x10, field('MQTT'), [5, 2, 0, 0, 0], field('id')))
    await five.untilClosed()
    expect(Buffer.concat(answer).toString('hex')).toBe('2003008400')
    const two = await site.dial()
    two.send(packet(0x10, field('MQTT'), [2, 2, 0, 0], field('id')))
    expect(await two.untilClosed()).toMatchObject([{ cmd: 'connack', returnCode: 1, sessionPresent: false }])
  })
})

describe('the keep alive', () => {
  test('closes who is silent for one and a half times of it, and nobody else [MQTT-3.1.2-24]', async () => {
    const [silent, speaking, patient] = await Promise.all([
      site.connect({ keepalive: 1 }),
      site.connect({ keepalive: 1 }),
      site.connect({ keepalive: 0 }),
    ])
    const began = performance.now()
    const pinging = setInterval(() => {
      speaking.send({ cmd: 'pingreq' })
    }, 300)
    await silent.untilClosed()
    clearInterval(pinging)
    expect(performance.now() - began).toBeGreaterThan(1_400)
    expect(performance.now() - began).toBeLessThan(6_000)
    expect((await speaking.ping()).every(({ cmd }) => cmd === 'pingresp')).toBe(true)
    expect(await patient.ping()).toEqual([])
  })

  test('a PINGREQ is answered [MQTT-3.12.4-1]', async () => {
    const peer = await site.connect()
    peer.send({ cmd: 'pingreq' }, { cmd: 'pingreq' })
    await peer.take('pingresp')
    await peer.take('pingresp')
  })
})
