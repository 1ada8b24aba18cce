import { afterEach, describe, expect, test } from 'vitest'
import { afterMarker, type Bench, rawClient, type Rules, startBench, until } from './support.ts'

let bench: Bench
async function start(rules: Partial<Rules>): Promise<Bench> {
  bench = await startBench(rules)
  return bench
}
afterEach(() => bench.stop())

const say = (topic: string, text: string, retain = false, qos: 0 | 1 = 1): Promise<void> =>
  bench.broker.publish({ topic, payload: Buffer.from(text), qos, retain })

const session = { clientId: 'ana-1', clean: false, username: 'ana' }

describe('at subscribe', () => {
  test('a refused topic beside an allowed one gets its own code and stays refused after a reconnect', async () => {
    await start({ subscribe: ['ana mine'], receive: ['ana #'] })
    const ana = await bench.client(session)
    const granted = await ana.mqtt
      .subscribeAsync(['mine', 'theirs'], { qos: 1 })
      .catch((error: unknown) => error)
    expect(granted).toMatchObject({ message: expect.stringContaining('Unspecified error') as unknown })
    await ana.mqtt.endAsync()
    await say('theirs', 'while away')
    await say('mine', 'while away')
    const again = await bench.client(session)
    await until(() => again.received.includes('mine while away'))
    await say('theirs', 'live')
    await say('mine', 'live')
    await until(() => again.received.includes('mine live'))
    expect(again.received).toEqual(['mine while away', 'mine live'])
  })

  test.for(['$share/g/#', '$SYS/#', '$headgate/quarantine', '$share/g/mine'])(
    '%s is refused with 0x80',
    async (filter) => {
      await start({ subscribe: ['ana #'], receive: ['ana #'] })
      const raw = await rawClient(bench.url)
      raw.send({
        cmd: 'connect',
        clientId: 'raw',
        username: 'ana',
        password: Buffer.from('right'),
        clean: true,
        protocolId: 'MQTT',
        protocolVersion: 4,
        keepalive: 0,
      })
      expect(await raw.next('connack')).toMatchObject({ returnCode: 0 })
      raw.send({
        cmd: 'subscribe',
        messageId: 1,
        subscriptions: [
          { topic: filter, qos: 1 },
          { topic: 'mine', qos: 1 },
        ],
      })
      expect(await raw.next('suback')).toMatchObject({ granted: [128, 1] })
      raw.socket.destroy()
    },
  )
})

describe('at every delivery', () => {
  test('a wildcard gives each client exactly what it may see', async () => {
    await start({
      subscribe: ['ana #', 'ben #'],
      receive: ['ana a', 'ben b', 'ana marker', 'ben marker'],
    })
    const ana = await bench.client({ clientId: 'a', username: 'ana' })
    const ben = await bench.client({ clientId: 'b', username: 'ben' })
    await ana.mqtt.subscribeAsync('#', { qos: 1 })
    await ben.mqtt.subscribeAsync('#', { qos: 1 })
    await say('a', '1')
    await say('b', '2')
    await afterMarker(bench, ana, ben)
    expect(ana.received.slice(0, -1)).toEqual(['a 1'])
    expect(ben.received.slice(0, -1)).toEqual(['b 2'])
    expect(bench.broker.stats().withheld).toBe(2)
  })

  test('a live subscription falls silent when its right goes', async () => {
    await start({ subscribe: ['ana #'], receive: ['ana a', 'ana marker'] })
    const ana = await bench.client({ clientId: 'a', username: 'ana' })
    await ana.mqtt.subscribeAsync('a', { qos: 1 })
    await ana.mqtt.subscribeAsync('marker')
    await say('a', 'before')
    await afterMarker(bench, ana)
    bench.rules.receive.shift()
    await say('a', 'after')
    await afterMarker(bench, ana)
    expect(ana.received.filter((line) => line.startsWith('a '))).toEqual(['a before'])
  })

  test('an absent session is given nothing that was queued before its right went', async () => {
    await start({ subscribe: ['ana #'], receive: ['ana a', 'ana marker'] })
    const ana = await bench.client(session)
    await ana.mqtt.subscribeAsync(['a', 'marker'], { qos: 1 })
    await ana.mqtt.endAsync()
    await say('a', 'queued')
    bench.rules.receive.shift()
    await say('a', 'after')
    const again = await bench.client(session)
    await afterMarker(bench, again)
    expect(again.received.filter((line) => line.startsWith('a '))).toEqual([])
  })

  test('a retained message is withheld once the right has gone', async () => {
    await start({ subscribe: ['ana #'], receive: ['ana a', 'ana marker'] })
    await say('a', 'kept', true)
    const before = await bench.client({ clientId: 'a', username: 'ana' })
    await before.mqtt.subscribeAsync('#')
    await until(() => before.received.includes('a kept'))
    bench.rules.receive.shift()
    const after = await bench.client({ clientId: 'b', username: 'ana' })
    await after.mqtt.subscribeAsync('#')
    await afterMarker(bench, after)
    expect(after.received.filter((line) => line.startsWith('a '))).toEqual([])
  })

  test('a withheld message never costs a session the one that was queued beside it', async () => {
    await start({ subscribe: ['ana #'], receive: ['ana mine'] })
    const ana = await bench.client(session)
    await ana.mqtt.subscribeAsync(['#', 'mine'], { qos: 1 })
    const sent = Array.from({ length: 200 }, (_, n) => [say('mine', String(n)), say('theirs', String(n))])
    await Promise.all(sent.flat())
    await until(() => ana.received.length >= 200)
    expect(new Set(ana.received).size).toBe(200)
    expect(ana.mqtt.connected).toBe(true)
  })
})

describe('at publish', () => {
  test('a refused QoS 1 publish gets its PUBACK, goes to nobody and does not disconnect', async () => {
    await start({ publish: ['ana a'], subscribe: ['ben #'], receive: ['ben #'] })
    const heard: string[] = []
    bench.broker.onMessage(({ topic, principal }) => heard.push(`${principal.id} ${topic}`))
    const ben = await bench.client({ clientId: 'b', username: 'ben' })
    await ben.mqtt.subscribeAsync('#', { qos: 1 })
    const ana = await bench.client({ clientId: 'a', username: 'ana' })
    await ana.mqtt.publishAsync('b', 'refused', { qos: 1, retain: true })
    await ana.mqtt.publishAsync('$SYS/x/new/clients', 'b', { qos: 1 })
    await ana.mqtt.publishAsync('$share/g/a', 'x', { qos: 1 })
    await ana.mqtt.publishAsync('b', 'refused', { qos: 2 })
    await ana.mqtt.publishAsync('a', 'allowed', { qos: 1 })
    await until(() => ben.received.length > 0)
    expect(ben.received).toEqual(['a allowed'])
    expect(heard).toEqual(['ana a'])
    expect([ana.mqtt.connected, ben.mqtt.connected]).toEqual([true, true])
    expect(bench.broker.stats()).toMatchObject({ quarantined: 4, published: 1 })
  })

  test.for([
    ['a will to an own topic is published', 'a', ['a gone']],
    ['a will to a foreign topic goes to nobody', 'b', []],
  ] as const)('%s', async ([, topic, expected]) => {
    await start({ publish: ['ana a'], subscribe: ['ben #'], receive: ['ben #'] })
    const ben = await bench.client({ clientId: 'b', username: 'ben' })
    await ben.mqtt.subscribeAsync('#', { qos: 1 })
    const raw = await rawClient(bench.url)
    raw.send({
      cmd: 'connect',
      clientId: 'raw',
      username: 'ana',
      password: Buffer.from('right'),
      clean: true,
      protocolId: 'MQTT',
      protocolVersion: 4,
      keepalive: 0,
      will: { topic, payload: Buffer.from('gone'), qos: 1, retain: true },
    })
    await raw.next('connack')
    raw.socket.destroy()
    const decided = (): boolean => bench.broker.stats().quarantined + bench.broker.stats().published > 0
    await until(decided)
    await afterMarker(bench, ben)
    expect(ben.received.slice(0, -1)).toEqual(expected)
  })
})

describe('at connect', () => {
  test('a wrong password is refused', async () => {
    await start({})
    await expect(bench.client({ username: 'ana', password: 'wrong' })).rejects.toThrow(
      'Bad username or password',
    )
    expect(bench.broker.stats().refusedConnects).toBe(1)
  })

  test('another principal with the same client id is refused, and the first keeps its session', async () => {
    await start({ subscribe: ['ana #', 'ben #'], receive: ['ana #', 'ben #'] })
    const ana = await bench.client(session)
    await ana.mqtt.subscribeAsync('a', { qos: 1 })
    await expect(bench.client({ ...session, username: 'ben' })).rejects.toThrow('Identifier rejected')
    expect(ana.mqtt.connected).toBe(true)
    await ana.mqtt.endAsync()
    await say('a', 'queued')
    await expect(bench.client({ ...session, username: 'ben' })).rejects.toThrow('Identifier rejected')
    const again = await bench.client(session)
    await until(() => again.received.includes('a queued'))
  })

  test('a client id is free again when a clean session ends', async () => {
    await start({})
    const ana = await bench.client({ clientId: 'x', username: 'ana' })
    await ana.mqtt.endAsync()
    await until(() => bench.broker.stats().clients === 0)
    const ben = await bench.client({ clientId: 'x', username: 'ben' })
    expect(ben.mqtt.connected).toBe(true)
  })

  test('the same principal takes its client id over', async () => {
    await start({ subscribe: ['ana #'], receive: ['ana #'] })
    const first = await bench.client(session)
    const closed = new Promise<void>((resolve) =>
      first.mqtt.once('close', () => {
        resolve()
      }),
    )
    const second = await bench.client(session)
    await closed
    await second.mqtt.subscribeAsync('a')
    await say('a', '1')
    await until(() => second.received.includes('a 1'))
    expect(first.received).toEqual([])
  })

  test.for(['a\u0000b', 'a\u0007b', 'x'.repeat(200)])('client id %j is refused', async (clientId) => {
    await start({})
    await expect(bench.client({ clientId, username: 'ana' })).rejects.toThrow()
  })
})

test('closing the sessions of a principal disconnects it and drops what was stored for it', async () => {
  await start({ subscribe: ['ana #', 'ben #'], receive: ['ana #', 'ben #'] })
  const ana = await bench.client(session)
  await ana.mqtt.subscribeAsync('a', { qos: 1 })
  const away = await bench.client({ ...session, clientId: 'ana-2' })
  await away.mqtt.subscribeAsync('a', { qos: 1 })
  await away.mqtt.endAsync()
  await say('a', 'queued')
  const ben = await bench.client({ clientId: 'b', username: 'ben' })
  const closed = new Promise<void>((resolve) =>
    ana.mqtt.once('close', () => {
      resolve()
    }),
  )
  await bench.broker.closeSessions(({ id }) => id === 'ana')
  await closed
  expect(ben.mqtt.connected).toBe(true)
  const again = await bench.client({ ...session, clientId: 'ana-2' })
  await say('a', 'later')
  await again.mqtt.subscribeAsync('marker')
  await afterMarker(bench, again)
  expect(again.received.slice(0, -1)).toEqual([])
})
