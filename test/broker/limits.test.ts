import { once } from 'node:events'
import { connect as dial } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { createBroker } from '../../broker/index.ts'
import { type BrokerLimits, DEFAULT_LIMITS } from '../../broker/limits.ts'
import { type Bench, rawClient, type RawClient, type Rules, startBench, until } from './support.ts'

let bench: Bench
async function start(rules: Partial<Rules> = {}, limits: Partial<BrokerLimits> = {}): Promise<Bench> {
  bench = await startBench(rules, { limits })
  return bench
}
afterEach(() => bench.stop())

async function loggedIn(username = 'ana'): Promise<RawClient> {
  const raw = await rawClient(bench.url)
  raw.send({
    cmd: 'connect',
    clientId: `raw-${username}`,
    username,
    password: Buffer.from('right'),
    clean: true,
    protocolId: 'MQTT',
    protocolVersion: 4,
    keepalive: 0,
  })
  await raw.next('connack')
  return raw
}

/** Resolves when the broker has closed the connection, by a reset too. */
const closed = (raw: RawClient): Promise<void> => until(() => raw.socket.destroyed)

describe('a packet that claims too much', () => {
  test.for([
    ['a CONNECT of 256 MB', Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f])],
    ['a CONNECT of 17 kB', Buffer.from([0x10, 0x80, 0x88, 0x01])],
    ['a length of five bytes', Buffer.from([0x10, 0x80, 0x80, 0x80, 0x80, 0x01])],
  ] as const)('%s closes the connection before its bytes are waited for', async ([, bytes]) => {
    await start()
    const raw = await rawClient(bench.url)
    raw.socket.write(bytes)
    await closed(raw)
    expect(bench.broker.stats().clients).toBe(0)
  })

  test('after the login, one of 300 kB closes it and one of 200 kB passes', async () => {
    await start({ publish: ['ana #'], subscribe: ['ben #'], receive: ['ben #'] })
    const ben = await bench.client({ clientId: 'b', username: 'ben' })
    let bytes = 0
    ben.mqtt.on('message', (_topic, payload) => (bytes += payload.length))
    await ben.mqtt.subscribeAsync('a')
    const raw = await loggedIn()
    raw.send({
      cmd: 'publish',
      topic: 'a',
      payload: Buffer.alloc(200_000),
      qos: 0,
      retain: false,
      dup: false,
    })
    await until(() => bytes === 200_000)
    raw.send({
      cmd: 'publish',
      topic: 'a',
      payload: Buffer.alloc(300_000),
      qos: 0,
      retain: false,
      dup: false,
    })
    await closed(raw)
    expect(bytes).toBe(200_000)
  })
})

test('a connection that says nothing is closed after five seconds', async () => {
  await start()
  const raw = await rawClient(bench.url)
  const began = performance.now()
  await once(raw.socket, 'close', { signal: AbortSignal.timeout(30_000) })
  expect(performance.now() - began).toBeGreaterThan(4_000)
})

test('bytes that are no MQTT close their connection and no other', async () => {
  await start({ subscribe: ['ana #'], receive: ['ana #'] })
  const ana = await bench.client({ clientId: 'a', username: 'ana' })
  for (const bytes of [
    'GET / HTTP/1.1\r\n\r\n',
    '\u0000\u0000\u0000',
    '\u0030\u0005hello',
    '\u0010\u0002xx',
  ]) {
    const raw = await rawClient(bench.url)
    raw.socket.write(bytes, 'latin1')
    await closed(raw)
  }
  expect(ana.mqtt.connected).toBe(true)
})

test('a subscriber that stops reading is closed and holds up nobody', async () => {
  await start({ subscribe: ['ana #', 'ben #'], receive: ['ana #', 'ben #'] }, { slowMs: 1_000 })
  const frozen = await loggedIn('ana')
  frozen.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 0 }] })
  await frozen.next('suback')
  frozen.socket.pause()
  const ben = await bench.client({ clientId: 'b', username: 'ben' })
  await ben.mqtt.subscribeAsync('a')
  const payload = Buffer.alloc(50_000, 'x')
  let longest = 0
  for (let n = 0; n < 1_500; n += 1) {
    const began = performance.now()
    await bench.broker.publish({ topic: 'a', payload, qos: 0, retain: false })
    longest = Math.max(longest, performance.now() - began)
  }
  await until(() => ben.received.length === 1_500)
  await until(() => bench.broker.stats().clients === 1)
  expect(ben.mqtt.connected).toBe(true)
  // Waiting for its socket to drain would cost 5 s.
  expect(longest).toBeLessThan(2_500)
  frozen.socket.destroy()
})

test('a session that stays away keeps the newest messages, and the rest is counted', async () => {
  const most = 1_000
  await start({ subscribe: ['ana #'], receive: ['ana #'] }, { offlineMessages: most, inflightOut: 50 })
  const session = { clientId: 'ana-1', clean: false, username: 'ana' }
  const ana = await bench.client(session)
  await ana.mqtt.subscribeAsync('a', { qos: 1 })
  await ana.mqtt.endAsync()
  await until(() => bench.broker.stats().clients === 0)
  for (let n = 0; n < most + 100; n += 1) {
    await bench.broker.publish({ topic: 'a', payload: Buffer.from(String(n)), qos: 1, retain: false })
    // Only what a commit holds can be given up; this is one.
    if (n % 100 === 0) await bench.broker.closeSessions(() => false)
  }
  await bench.broker.closeSessions(() => false)
  const again = await bench.client(session)
  await until(() => again.received.at(-1) === `a ${most + 99}`)
  const { dropped } = bench.broker.stats()
  expect(dropped).toBeGreaterThanOrEqual(100)
  expect(again.received).toHaveLength(most + 100 - dropped)
  expect(again.received[0]).toBe(`a ${dropped}`)
})

test('a connection has a limited number of filters', async () => {
  await start({ subscribe: ['ana #'], receive: ['ana #'] })
  const raw = await loggedIn()
  const subscriptions = Array.from({ length: DEFAULT_LIMITS.subscriptions + 1 }, (_, n) => ({
    topic: `t/${n}`,
    qos: 0 as const,
  }))
  raw.send({ cmd: 'subscribe', messageId: 1, subscriptions })
  const granted = ((await raw.next('suback')) as { granted: number[] }).granted
  expect(granted.slice(-2)).toEqual([0, 128])
  raw.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['t/0'] })
  await raw.next('unsuback')
  raw.send({ cmd: 'subscribe', messageId: 3, subscriptions: [{ topic: 't/new', qos: 0 }] })
  expect(await raw.next('suback')).toMatchObject({ granted: [0] })
  raw.socket.destroy()
})

test('a QoS 2 message that comes twice before its PUBREL counts once', async () => {
  await start({ publish: ['ana #'] })
  const heard: string[] = []
  bench.broker.onMessage(({ topic }) => heard.push(topic))
  const raw = await loggedIn()
  const packet = { cmd: 'publish', topic: 'a', payload: 'x', qos: 2, retain: false, messageId: 7 } as const
  raw.send({ ...packet, dup: false })
  await raw.next('pubrec')
  raw.send({ ...packet, dup: true })
  await raw.next('pubrec')
  raw.send({ cmd: 'pubrel', messageId: 7 })
  await raw.next('pubcomp')
  raw.send({ ...packet, dup: false })
  await raw.next('pubrec')
  expect(heard).toEqual(['a', 'a'])
  raw.socket.destroy()
})

describe('listening', () => {
  const quiet = (): void => undefined
  const log = { info: quiet, warn: quiet, error: quiet }
  const policy = {
    connect: () => Promise.resolve({ allowed: false, because: 'unavailable' } as const),
    principal: () => undefined,
    mayPublish: () => 'quarantine' as const,
    maySubscribe: () => false,
    mayReceive: () => false,
  }
  const signal = new AbortController().signal

  test('on a port that is taken says so and leaves nothing open', async () => {
    await start()
    const broker = createBroker({ listen: ['tcp://127.0.0.1:0', bench.url], policy, log })
    const failed = broker.start(signal)
    await expect(failed).rejects.toMatchObject({ code: 'BROKER_LISTEN_FAILED' })
    expect(broker.addresses()).toEqual([])
  })

  test.for(['mqtt://127.0.0.1:1883', 'tcp://127.0.0.1', 'tcp://127.0.0.1:65536', ''])(
    'on "%s" is refused',
    async (url) => {
      await start()
      const failed = createBroker({ listen: [url], policy, log }).start(signal)
      await expect(failed).rejects.toMatchObject({ code: 'BROKER_LISTENER_INVALID' })
    },
  )

  test('ends with stop: the port is free and every connection gone', async () => {
    await start()
    const silent = await rawClient(bench.url)
    const ana = await bench.client({ clientId: 'a', username: 'ana' })
    const gone = new Promise<void>((resolve) => {
      ana.mqtt.once('close', () => {
        resolve()
      })
    })
    await bench.broker.stop()
    await Promise.all([gone, closed(silent)])
    const { hostname, port } = new URL(bench.url)
    const [error] = (await once(dial(Number(port), hostname), 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNREFUSED')
  })
})

test('a policy that fails has refused, at every door', async () => {
  await start({ subscribe: ['ana #'], receive: ['ana #'], publish: ['ana #'] })
  const ana = await bench.client({ clientId: 'a', username: 'ana' })
  await ana.mqtt.subscribeAsync('a')
  for (const table of ['receive', 'publish', 'subscribe'] as const) {
    Object.defineProperty(bench.rules, table, {
      get: () => {
        throw new Error('damaged policy')
      },
    })
  }
  await bench.broker.publish({ topic: 'a', payload: Buffer.from('x'), qos: 0, retain: false })
  await ana.mqtt.publishAsync('a', 'x', { qos: 1 })
  await expect(ana.mqtt.subscribeAsync('b')).rejects.toThrow()
  expect(ana.received).toEqual([])
  expect(ana.mqtt.connected).toBe(true)
  expect(bench.broker.stats()).toMatchObject({ withheld: 1, quarantined: 1, refusedSubscriptions: 1 })
})
