import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fresh, type Peer, publishPacket, said, type Site, startSite, subscribePacket } from './support.ts'

let site: Site
let publisher: Peer
beforeAll(async () => {
  site = await startSite()
  publisher = await site.connect()
})
afterAll(() => site.stop())

const QOS = [0, 1, 2] as const
type Qos = (typeof QOS)[number]

/** What a new subscriber gets, up to a message that is published after it. */
async function newcomerHears(filter: string, topic: string, qos: Qos = 2): Promise<string[]> {
  const newcomer = await site.connect()
  await newcomer.subscribe([filter, qos])
  await publisher.publish(topic, 'now', { qos: 1 })
  return newcomer.heardUntil('now')
}

describe('answers', () => {
  test('QoS 0 gets none, 1 a PUBACK, 2 a PUBREC and a PUBCOMP, each with its id [MQTT-3.3.4-1] [MQTT-2.3.1-6]', async () => {
    const peer = await site.connect()
    const topic = fresh()
    peer.send(publishPacket(topic, 'x'))
    expect(await peer.ping()).toEqual([])
    peer.send(publishPacket(topic, 'x', { qos: 1, messageId: 513 }))
    expect(await peer.take('puback')).toMatchObject({ messageId: 513 })
    peer.send(publishPacket(topic, 'x', { qos: 2, messageId: 65_535 }))
    expect(await peer.take('pubrec')).toMatchObject({ messageId: 65_535 })
    peer.send({ cmd: 'pubrel', messageId: 65_535 })
    expect(await peer.take('pubcomp')).toMatchObject({ messageId: 65_535 })
  })

  test('a publish that is not allowed is acknowledged as any other, and goes nowhere [MQTT-3.3.5-2]', async () => {
    const watcher = await site.connect()
    await watcher.subscribe(['#', 2])
    const topic = fresh('forbidden/x')
    for (const qos of QOS) await publisher.publish(topic, 'no', { qos, retain: true })
    await publisher.publish(fresh(), 'now', { qos: 1 })
    expect((await watcher.heardUntil('now')).filter((line) => line.startsWith('forbidden'))).toEqual([])
    await watcher.leave()
  })
})

describe('retained messages', () => {
  test('the last one comes to each new subscription, with RETAIN and its QoS [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-8]', async () => {
    const topic = fresh()
    await publisher.publish(`${topic}/a`, 'old', { qos: 1, retain: true })
    await publisher.publish(`${topic}/a`, 'new', { qos: 2, retain: true })
    await publisher.publish(`${topic}/b`, 'other', { qos: 1, retain: true })
    expect((await newcomerHears(`${topic}/+`, `${topic}/now`)).sort()).toEqual([
      `${topic}/a new q2 retained`,
      `${topic}/b other q1 retained`,
    ])
  })

  test('who is subscribed already gets it without RETAIN [MQTT-3.3.1-9]', async () => {
    const topic = fresh()
    const peer = await site.connect()
    await peer.subscribe([topic, 2])
    for (const qos of QOS) await publisher.publish(topic, 'x', { qos, retain: true })
    await publisher.publish(topic, 'now', { qos: 1 })
    expect(await peer.heardUntil('now')).toEqual([`${topic} x q0`, `${topic} x q1`, `${topic} x q2`])
  })

  test('one with QoS 0 takes the place of the one before [MQTT-3.3.1-7]', async () => {
    const topic = fresh()
    await publisher.publish(topic, 'one', { qos: 1, retain: true })
    await publisher.publish(topic, 'zero', { qos: 0, retain: true })
    expect(await newcomerHears(topic, topic)).toEqual([`${topic} zero q0 retained`])
  })

  test('an empty one is delivered as any other and removes what was kept [MQTT-3.3.1-10] [MQTT-3.3.1-11]', async () => {
    const topic = fresh()
    const peer = await site.connect()
    await peer.subscribe([topic, 1])
    await publisher.publish(topic, 'kept', { qos: 1, retain: true })
    await publisher.publish(topic, '', { qos: 1, retain: true })
    await publisher.publish(topic, 'now', { qos: 1 })
    expect(await peer.heardUntil('now')).toEqual([`${topic} kept q1`, `${topic}  q1`])
    expect(await newcomerHears(topic, topic)).toEqual([])
  })

  test('a message without RETAIN neither replaces nor removes it [MQTT-3.3.1-12]', async () => {
    const topic = fresh()
    await publisher.publish(topic, 'kept', { qos: 1, retain: true })
    await publisher.publish(topic, 'passing', { qos: 1 })
    await publisher.publish(topic, '', { qos: 1 })
    expect(await newcomerHears(topic, topic)).toEqual([`${topic} kept q1 retained`])
  })

  test('a publish and a subscribe in one segment give it once, with RETAIN [MQTT-3.3.1-8]', async () => {
    const topic = fresh()
    const peer = await site.connect()
    peer.send(
      publishPacket(topic, 'kept', { qos: 1, messageId: 1, retain: true }),
      subscribePacket(2, [topic, 1]),
    )
    await peer.take('puback')
    await peer.take('suback')
    await publisher.publish(topic, 'now', { qos: 1 })
    expect(await peer.heardUntil('now')).toEqual([`${topic} kept q1 retained`])
  })

  test('a subscribe and a publish in one segment give it once, without RETAIN [MQTT-3.3.1-9]', async () => {
    const topic = fresh()
    const peer = await site.connect()
    peer.send(
      subscribePacket(1, [topic, 1]),
      publishPacket(topic, 'live', { qos: 1, messageId: 2, retain: true }),
    )
    await peer.take('suback')
    const two = [await peer.next(), await peer.next()]
    const delivered = two.flatMap((packet) => (packet?.cmd === 'publish' ? [said(packet)] : []))
    expect(delivered).toEqual([`${topic} live q1`])
    expect(await peer.ping()).toEqual([])
  })
})

describe('the QoS of a delivery', () => {
  test.for(QOS.flatMap((sent) => QOS.map((granted) => [sent, granted] as const)))(
    'is the lesser of %i published and %i granted, by name, by wildcard and retained [MQTT-3.8.4-6]',
    async ([sent, granted]) => {
      const topic = fresh()
      const qos = Math.min(sent, granted)
      const [named, wild] = [await site.connect(), await site.connect()]
      await named.subscribe([`${topic}/a`, granted])
      await wild.subscribe([`${topic}/#`, granted])
      await publisher.publish(`${topic}/a`, 'x', { qos: sent, retain: true })
      await publisher.publish(`${topic}/a`, 'now', { qos: sent })
      expect(await named.heardUntil('now')).toEqual([`${topic}/a x q${qos}`])
      expect(await wild.heardUntil('now')).toEqual([`${topic}/a x q${qos}`])
      expect(await newcomerHears(`${topic}/+`, `${topic}/b`, granted)).toEqual([
        `${topic}/a x q${qos} retained`,
      ])
    },
  )

  test('is the highest of all subscriptions that match, in one copy [MQTT-3.3.5-1]', async () => {
    const topic = fresh()
    const peer = await site.connect()
    await peer.subscribe([`${topic}/a`, 0], [`${topic}/+`, 2], [`${topic}/#`, 1])
    for (const qos of QOS) await publisher.publish(`${topic}/a`, 'x', { qos })
    await publisher.publish(`${topic}/a`, 'now', { qos: 1 })
    expect(await peer.heardUntil('now')).toEqual([0, 1, 2].map((qos) => `${topic}/a x q${qos}`))
  })

  test('has nothing of the DUP that it was published with [MQTT-3.3.1-3]', async () => {
    const topic = fresh()
    const peer = await site.connect()
    await peer.subscribe([topic, 2])
    const other = await site.connect()
    other.send(
      publishPacket(topic, 'one', { qos: 1, messageId: 1, dup: true }),
      publishPacket(topic, 'two', { qos: 2, messageId: 2, dup: true }),
    )
    await other.take('puback')
    await other.take('pubrec')
    other.send({ cmd: 'pubrel', messageId: 2 })
    await other.take('pubcomp')
    await publisher.publish(topic, 'now', { qos: 1 })
    expect((await peer.heardUntil('now')).sort()).toEqual([`${topic} one q1`, `${topic} two q2`])
  })
})

describe('matching', () => {
  /** Section 4.7.1: filter, topics it matches, topics it does not. All below a name of their own. */
  const filters: [filter: string, matched: string[], unmatched: string[]][] = [
    [
      'sport/tennis/player1/#',
      ['sport/tennis/player1', 'sport/tennis/player1/ranking', 'sport/tennis/player1/score/wimbledon'],
      ['sport/tennis/player2', 'sport/tennis'],
    ],
    [
      'sport/tennis/+',
      ['sport/tennis/player1', 'sport/tennis/'],
      ['sport/tennis', 'sport/tennis/player1/ranking'],
    ],
    ['sport/+', ['sport/', 'sport/a'], ['sport']],
    ['+/+', ['/finance', 'a/b'], ['finance', '/a/b']],
    ['/+', ['/finance', '/'], ['finance', 'a/b']],
    ['+', ['finance'], ['/finance', 'a/b']],
    ['a//b', ['a//b'], ['a/b', 'a/x/b']],
    ['a/+/b', ['a//b', 'a/x/b'], ['a/b', 'a/x/y/b']],
    ['+/b/#', ['a/b', 'a/b/c/d', '/b'], ['b', 'a/c/b']],
    ['Accounts', ['Accounts'], ['ACCOUNTS', 'accounts', 'Accounts/', '/Accounts', 'Accounts ']],
    ['caf\u00e9', ['caf\u00e9'], ['cafe\u0301', 'CAF\u00c9']],
    ['\ufeffa', ['\ufeffa'], ['a']],
    ['Accounts payable', ['Accounts payable'], ['Accountspayable']],
  ]
  test.for(filters)(
    '%s [MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-3.3.2-3] [MQTT-4.7.3-4]',
    async ([filter, matched, unmatched]) => {
      const root = fresh()
      const peer = await site.connect()
      await peer.subscribe([`${root}/${filter}`, 1], [`${root}now`, 1])
      const topics = [...unmatched, ...matched, ...unmatched]
      for (const topic of topics) await publisher.publish(`${root}/${topic}`, 'x', { qos: 1, retain: true })
      await publisher.publish(`${root}now`, 'now', { qos: 1 })
      const expected = matched.map((topic) => `${root}/${topic} x q1`)
      expect(await peer.heardUntil('now')).toEqual(expected)
      // The same for what is retained.
      const newcomer = await site.connect()
      await newcomer.subscribe([`${root}now`, 1], [`${root}/${filter}`, 1])
      await publisher.publish(`${root}now`, 'now', { qos: 1 })
      expect((await newcomer.heardUntil('now')).sort()).toEqual(
        expected.map((line) => `${line} retained`).sort(),
      )
    },
  )

  test('a filter that begins with a wildcard matches no topic that begins with $ [MQTT-4.7.2-1]', async () => {
    const level = fresh('$x')
    const peer = await site.connect()
    await peer.subscribe(['#', 1], ['+/a', 1], ['+/#', 1])
    const named = await site.connect()
    await named.subscribe([`${level}/#`, 1])
    await publisher.publish(`${level}/a`, 'hidden', { qos: 1, retain: true })
    await publisher.publish(`${level}/now`, 'now', { qos: 1 })
    expect(await named.heardUntil('now')).toEqual([`${level}/a hidden q1`])
    await publisher.publish(fresh(), 'now', { qos: 1 })
    expect((await peer.heardUntil('now')).filter((line) => line.startsWith('$'))).toEqual([])
    const newcomer = await site.connect()
    await newcomer.subscribe(['+/a', 1])
    await publisher.publish(`${fresh()}/a`, 'now', { qos: 1 })
    expect((await newcomer.heardUntil('now')).filter((line) => line.startsWith('$'))).toEqual([])
    await peer.leave()
  })
})
