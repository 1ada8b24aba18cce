import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectPacket, fresh, type Peer, publishPacket, said, type Site, startSite } from './support.ts'

let site: Site
let publisher: Peer
beforeAll(async () => {
  site = await startSite()
  publisher = await site.connect()
})
afterAll(() => site.stop())

/** Comes back to its session. */
async function reconnect(clientId: string): Promise<Peer> {
  const again = await site.dial()
  again.send(connectPacket({ clientId, clean: false }))
  expect(await again.take('connack')).toMatchObject({ returnCode: 0, sessionPresent: true })
  return again
}

/** A client with a stored session and one subscription. */
async function stored(qos: 1 | 2): Promise<{ clientId: string; topic: string; peer: Peer }> {
  const [clientId, topic] = [fresh('client'), fresh()]
  const peer = await site.connect({ clientId, clean: false })
  await peer.subscribe([topic, qos])
  return { clientId, topic, peer }
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, n) => String(n))

describe('the broker as sender', () => {
  test('QoS 0 goes out once, without an id and without DUP [MQTT-4.3.1-1] [MQTT-2.3.1-5]', async () => {
    const topic = fresh()
    const peer = await site.connect()
    await peer.subscribe([topic, 0])
    await publisher.publish(topic, 'x', { qos: 1 })
    const packet = await peer.take('publish')
    expect(packet).toMatchObject({ qos: 0, dup: false })
    expect(packet.messageId).toBeUndefined()
  })

  test.for([1, 2] as const)(
    'QoS %i gives each message an id of its own, not 0, without DUP [MQTT-4.3.2-1] [MQTT-4.3.3-1] [MQTT-2.3.1-4] [MQTT-2.3.1-1]',
    async (qos) => {
      const topic = fresh()
      const peer = await site.connect()
      await peer.subscribe([topic, qos])
      for (const text of numbers(15)) await publisher.publish(topic, text, { qos })
      const ids = new Set<number | undefined>()
      for (const text of numbers(15)) {
        const packet = await peer.take('publish')
        expect(said(packet)).toBe(`${topic} ${text} q${qos}`)
        expect(packet.messageId).toBeGreaterThan(0)
        ids.add(packet.messageId)
      }
      expect(ids.size).toBe(15)
      await peer.leave()
    },
  )

  test('QoS 2 goes on with a PUBREL of the same id after the PUBREC [MQTT-4.3.3-1] [MQTT-2.3.1-6]', async () => {
    const topic = fresh()
    const peer = await site.connect()
    await peer.subscribe([topic, 2])
    await publisher.publish(topic, 'x', { qos: 2 })
    const { messageId = 0 } = await peer.take('publish')
    peer.send({ cmd: 'pubrec', messageId })
    expect(await peer.take('pubrel')).toMatchObject({ messageId })
    peer.send({ cmd: 'pubcomp', messageId })
    expect(await peer.ping()).toEqual([])
  })

  test.for([1, 2] as const)(
    'QoS %i that was not acknowledged comes again after a reconnect, with DUP and its id, in order [MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.6.0-1]',
    async (qos) => {
      const { clientId, topic, peer } = await stored(qos)
      for (const text of numbers(10)) await publisher.publish(topic, text, { qos })
      const sent: (number | undefined)[] = []
      while (sent.length < 10) sent.push((await peer.take('publish')).messageId)
      peer.drop()
      const again = await reconnect(clientId)
      for (const [at, text] of numbers(10).entries()) {
        const packet = await again.take('publish')
        expect(said(packet)).toBe(`${topic} ${text} q${qos} dup`)
        expect(packet.messageId).toBe(sent[at])
      }
      await again.leave()
    },
  )

  test('what was acknowledged does not come again, the rest does [MQTT-4.4.0-1] [MQTT-4.3.2-1]', async () => {
    const { clientId, topic, peer } = await stored(1)
    for (const text of numbers(4)) await publisher.publish(topic, text, { qos: 1 })
    for (const text of numbers(4)) {
      const packet = await peer.take('publish')
      if (text === '0' || text === '2') peer.acknowledge(packet)
    }
    await peer.ping()
    peer.drop()
    const again = await reconnect(clientId)
    expect(said(await again.take('publish'))).toBe(`${topic} 1 q1 dup`)
    expect(said(await again.take('publish'))).toBe(`${topic} 3 q1 dup`)
    expect(await again.ping()).toEqual([])
  })

  test('after a PUBREC the PUBREL comes again, never the PUBLISH [MQTT-4.4.0-1] [MQTT-4.3.3-1]', async () => {
    const { clientId, topic, peer } = await stored(2)
    await publisher.publish(topic, 'x', { qos: 2 })
    const { messageId = 0 } = await peer.take('publish')
    peer.send({ cmd: 'pubrec', messageId })
    await peer.take('pubrel')
    peer.drop()
    const again = await reconnect(clientId)
    expect(await again.take('pubrel')).toMatchObject({ messageId })
    again.send({ cmd: 'pubcomp', messageId })
    expect(await again.ping()).toEqual([])
    again.drop()
    const last = await reconnect(clientId)
    expect(await last.ping()).toEqual([])
  })

  test('a message that was never sent comes without DUP [MQTT-3.3.1-3]', async () => {
    const { clientId, topic, peer } = await stored(1)
    await peer.leave()
    await publisher.publish(topic, 'x', { qos: 1 })
    const again = await reconnect(clientId)
    expect(said(await again.take('publish'))).toBe(`${topic} x q1`)
    await again.leave()
  })

  test('nothing is sent again while the connection lasts [MQTT-4.4.0-1]', async () => {
    const topic = fresh()
    const peer = await site.connect()
    await peer.subscribe([topic, 1])
    await publisher.publish(topic, 'x', { qos: 1 })
    await peer.take('publish')
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    expect(await peer.ping()).toEqual([])
  })

  test('a session that is absent is given all that is published to it with QoS 1 and 2 [MQTT-4.5.0-1] [MQTT-3.1.2-5]', async () => {
    const { clientId, topic, peer } = await stored(2)
    await peer.leave()
    for (const [n, text] of numbers(100).entries())
      await publisher.publish(topic, text, { qos: n % 2 ? 1 : 2 })
    const again = await reconnect(clientId)
    await publisher.publish(topic, 'now', { qos: 1 })
    expect(await again.heardUntil('now')).toEqual(
      numbers(100).map((text, n) => `${topic} ${text} q${n % 2 ? 1 : 2}`),
    )
  })
})

describe('the broker as receiver', () => {
  test('QoS 1 with an id that was acknowledged is a new message, DUP or not [MQTT-4.3.2-2]', async () => {
    const topic = fresh()
    const [peer, watcher] = [await site.connect(), await site.connect()]
    await watcher.subscribe([topic, 1])
    for (const text of ['one', 'two', 'three']) {
      peer.send(publishPacket(topic, text, { qos: 1, messageId: 7, dup: text !== 'one' }))
      expect(await peer.take('puback')).toMatchObject({ messageId: 7 })
    }
    await publisher.publish(topic, 'now', { qos: 1 })
    expect(await watcher.heardUntil('now')).toEqual(
      ['one', 'two', 'three'].map((text) => `${topic} ${text} q1`),
    )
  })

  test('QoS 2 that comes again before its PUBREL is acknowledged and goes nowhere [MQTT-4.3.3-2]', async () => {
    const topic = fresh()
    const [peer, watcher] = [await site.connect(), await site.connect()]
    await watcher.subscribe([topic, 2])
    for (const dup of [false, true, true]) {
      peer.send(publishPacket(topic, 'once', { qos: 2, messageId: 7, dup }))
      expect(await peer.take('pubrec')).toMatchObject({ messageId: 7 })
    }
    peer.send({ cmd: 'pubrel', messageId: 7 })
    expect(await peer.take('pubcomp')).toMatchObject({ messageId: 7 })
    peer.send(publishPacket(topic, 'new', { qos: 2, messageId: 7 }))
    await peer.take('pubrec')
    peer.send({ cmd: 'pubrel', messageId: 7 })
    await peer.take('pubcomp')
    await publisher.publish(topic, 'now', { qos: 1 })
    expect((await watcher.heardUntil('now')).sort()).toEqual([`${topic} new q2`, `${topic} once q2`])
  })

  test('the same holds over a reconnect of a stored session [MQTT-4.3.3-2] [MQTT-3.1.2-4]', async () => {
    const [clientId, topic] = [fresh('client'), fresh()]
    const [first, watcher] = [await site.connect({ clientId, clean: false }), await site.connect()]
    await watcher.subscribe([topic, 2])
    first.send(publishPacket(topic, 'once', { qos: 2, messageId: 7 }))
    await first.take('pubrec')
    first.drop()
    const again = await reconnect(clientId)
    again.send(publishPacket(topic, 'once', { qos: 2, messageId: 7, dup: true }))
    await again.take('pubrec')
    again.send({ cmd: 'pubrel', messageId: 7 })
    await again.take('pubcomp')
    await publisher.publish(topic, 'now', { qos: 1 })
    expect(await watcher.heardUntil('now')).toEqual([`${topic} once q2`])
  })

  test('a clean session does not know the ids of the one before [MQTT-3.1.2-6]', async () => {
    const [clientId, topic] = [fresh('client'), fresh()]
    const watcher = await site.connect()
    await watcher.subscribe([topic, 2])
    for (const text of ['one', 'two']) {
      const peer = await site.connect({ clientId, clean: true })
      peer.send(publishPacket(topic, text, { qos: 2, messageId: 7 }))
      await peer.take('pubrec')
      peer.drop()
    }
    await publisher.publish(topic, 'now', { qos: 1 })
    expect((await watcher.heardUntil('now')).sort()).toEqual([`${topic} one q2`, `${topic} two q2`])
  })

  test('a PUBREL of an unknown id gets its PUBCOMP all the same [MQTT-4.3.3-2]', async () => {
    const peer = await site.connect()
    peer.send({ cmd: 'pubrel', messageId: 99 })
    expect(await peer.take('pubcomp')).toMatchObject({ messageId: 99 })
  })

  test('acknowledgements nobody waits for do no harm', async () => {
    const peer = await site.connect()
    peer.send({ cmd: 'puback', messageId: 9 }, { cmd: 'pubcomp', messageId: 9 })
    expect(await peer.ping()).toEqual([])
  })
})

describe('order', () => {
  test.for([0, 1, 2] as const)(
    'messages of QoS %i to a topic come in the order of their publisher [MQTT-4.6.0-5] [MQTT-4.6.0-6]',
    async (qos) => {
      const topic = fresh()
      const [peer, named, wild] = [await site.connect(), await site.connect(), await site.connect()]
      await named.subscribe([`${topic}/a`, qos])
      await wild.subscribe([`${topic}/#`, 2])
      const publishes = numbers(300).map((text, n) =>
        publishPacket(`${topic}/a`, text, qos === 0 ? {} : { qos, messageId: n + 1 }),
      )
      peer.send(...publishes)
      const answers = qos === 1 ? 'puback' : 'pubrec'
      if (qos > 0) {
        const ids: (number | undefined)[] = []
        while (ids.length < publishes.length) ids.push((await peer.take(answers)).messageId)
        // The same rules hold for the broker as for a client [MQTT-4.6.0-2] [MQTT-4.6.0-3].
        expect(ids).toEqual(publishes.map(({ messageId }) => messageId))
      }
      if (qos === 2) {
        peer.send(...publishes.map(({ messageId = 0 }) => ({ cmd: 'pubrel', messageId }) as const))
        for (const { messageId } of publishes) expect(await peer.take('pubcomp')).toMatchObject({ messageId })
      }
      if (qos === 0) await peer.ping()
      await publisher.publish(`${topic}/a`, 'now', { qos })
      const expected = numbers(300).map((text) => `${topic}/a ${text} q${qos}`)
      expect(await named.heardUntil('now')).toEqual(expected)
      expect(await wild.heardUntil('now')).toEqual(expected)
    },
  )

  test('PUBACKs and PUBRECs come in the order of their messages [MQTT-4.6.0-2] [MQTT-4.6.0-3]', async () => {
    const topic = fresh()
    const peer = await site.connect()
    const ids = [9, 3, 65_535, 1, 20]
    for (const [qos, cmd] of [
      [1, 'puback'],
      [2, 'pubrec'],
    ] as const) {
      peer.send(...ids.map((messageId) => publishPacket(topic, 'x', { qos, messageId })))
      for (const messageId of ids) expect(await peer.take(cmd)).toMatchObject({ messageId })
    }
  })

  test('PUBRELs come in the order of their PUBRECs [MQTT-4.6.0-4]', async () => {
    const topic = fresh()
    const peer = await site.connect()
    await peer.subscribe([topic, 2])
    for (const text of numbers(5)) await publisher.publish(topic, text, { qos: 2 })
    const ids: number[] = []
    while (ids.length < 5) ids.push((await peer.take('publish')).messageId ?? 0)
    const order = [ids[3], ids[0], ids[4], ids[1], ids[2]]
    peer.send(...order.map((messageId = 0) => ({ cmd: 'pubrec', messageId }) as const))
    for (const messageId of order) expect(await peer.take('pubrel')).toMatchObject({ messageId })
  })
})
