import { afterEach, expect, test } from 'vitest'
import { Bounds } from '../../broker/bounds.ts'
import type { BrokerLog } from '../../broker/log.ts'
import { DEFAULT_LIMITS } from '../../broker/limits.ts'
import { type Bench, startBench, until } from './support.ts'

let bench: Bench | undefined
afterEach(async () => {
  await bench?.stop()
  bench = undefined
})

/** A log that keeps what it is given. */
function keepingLog(): { log: BrokerLog; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = []
  const keep = (detail: object): void => void lines.push({ ...detail })
  return { log: { info: () => undefined, warn: keep, error: keep }, lines }
}

const figure = (name: string, label: string): number | undefined => {
  const family = bench?.broker.metrics().find((one) => one.name === `headgate_broker_${name}`)
  const sample = family?.samples.find(({ labels }) => Object.values(labels).includes(label))
  return sample !== undefined && 'value' in sample ? sample.value : undefined
}

test('of each bound one line is logged in ten seconds, with how often it was met since the last', () => {
  const { log, lines } = keepingLog()
  let now = 0
  const bounds = new Bounds(DEFAULT_LIMITS, log, () => now)
  bounds.report()
  expect(lines).toEqual([])
  bounds.met('packetBytes', '192.0.2.1:5')
  bounds.report()
  for (let n = 0; n < 100; n += 1) bounds.met('packetBytes', 'later')
  bounds.met('queuedMessages', 'ana', 7)
  now = 9_999
  bounds.report()
  expect(lines).toEqual([
    { bound: 'packetBytes', limit: 262_144, times: 1, last: '192.0.2.1:5' },
    { bound: 'queuedMessages', limit: 20_000, times: 7, last: 'ana' },
  ])
  now = 10_000
  bounds.report()
  bounds.report()
  expect(lines.slice(2)).toEqual([{ bound: 'packetBytes', limit: 262_144, times: 100, last: 'later' }])
  expect([bounds.total('packetBytes'), bounds.total('queuedMessages'), bounds.total('slowMs')]).toEqual([
    101, 7, 0,
  ])
})

test('every bound has its count from the start, so that a first time shows as a rise', async () => {
  bench = await startBench()
  for (const bound of Object.keys(DEFAULT_LIMITS)) expect(figure('bounds_total', bound)).toBe(0)
})

test('what is beyond a bound is counted under its name and logged with who it was', async () => {
  const { log, lines } = keepingLog()
  const rules = { publish: ['ana #'], subscribe: ['ana #'], receive: ['ana #'] }
  const limits = {
    topicLevels: 4,
    subscriptions: 2,
    connectionsPerPrincipal: 1,
    clientIdLength: 30,
    sessions: 0,
  }
  bench = await startBench(rules, { limits: { ...limits, retainedTopics: 1, packetBytes: 1_024 }, log })
  const ana = await bench.client({ clientId: 'a', username: 'ana' })
  await ana.mqtt.publishAsync('1/2/3/4/5', 'x', { qos: 1 })
  await expect(ana.mqtt.subscribeAsync(['a', 'b', 'c'])).rejects.toThrow()
  await ana.mqtt.publishAsync('a', 'x', { qos: 1, retain: true })
  await ana.mqtt.publishAsync('b', 'x', { qos: 1, retain: true })
  await expect(bench.client({ clientId: 'a2', username: 'ana' })).rejects.toThrow()
  await expect(bench.client({ clientId: 'b', username: 'ben', clean: false })).rejects.toThrow()
  await expect(bench.client({ clientId: 'x'.repeat(31), username: 'ben' })).rejects.toThrow()
  ana.mqtt.publish('a', Buffer.alloc(2_000))
  const met = [
    'topicLevels',
    'subscriptions',
    'retainedTopics',
    'connectionsPerPrincipal',
    'sessions',
    'clientIdLength',
  ]
  await until(() => figure('bounds_total', 'packetBytes') === 1)
  for (const bound of met) expect([bound, figure('bounds_total', bound)]).toEqual([bound, 1])
  const told = (): unknown[] => lines.map(({ bound }) => bound).filter((bound) => bound !== undefined)
  await until(() => told().length === met.length + 1)
  expect(told().toSorted()).toEqual([...met, 'packetBytes'].toSorted())
  expect(lines).toContainEqual({ bound: 'subscriptions', limit: 2, times: 1, last: 'a' })
})

test('messages that have waited too long for their session go, and a jump of the clock takes no others', async () => {
  let now = 1_000
  const rules = { subscribe: ['ana #'], receive: ['ana #'] }
  bench = await startBench(rules, { limits: { offlineAgeMs: 3_600_000 }, monoMs: () => now })
  const { broker } = bench
  const session = { clientId: 'ana-1', clean: false, username: 'ana' }
  const ana = await bench.client(session)
  await ana.mqtt.subscribeAsync('a', { qos: 1 })
  await ana.mqtt.endAsync()
  await until(() => broker.stats().clients === 0)
  const say = async (text: string): Promise<void> => {
    await broker.publish({ topic: 'a', payload: Buffer.from(text), qos: 1, retain: false })
    await broker.closeSessions(() => false)
  }
  await say('old')
  now += 3_000_000
  await say('young')
  now += 700_000
  await until(() => broker.stats().dropped === 1)
  expect(figure('bounds_total', 'offlineAgeMs')).toBe(1)
  const again = await bench.client(session)
  await until(() => again.received.length > 0)
  expect(again.received).toEqual(['a young'])
})

test('retained messages of some topics are dropped, in memory and on the disk', async () => {
  bench = await startBench({ publish: ['ana #'], subscribe: ['ana #'], receive: ['ana #'] })
  const { broker } = bench
  const ana = await bench.client({ clientId: 'a', username: 'ana' })
  for (const topic of ['mine/1', 'mine/2', 'kept/1'])
    await ana.mqtt.publishAsync(topic, 'x', { qos: 1, retain: true })
  for (const topic of ['mine/3', 'kept/2'])
    await broker.publish({ topic, payload: Buffer.from('x'), qos: 1, retain: true })
  expect(await broker.dropRetained((topic) => topic.startsWith('mine/'))).toBe(3)
  await ana.mqtt.subscribeAsync('#')
  await until(() => ana.received.length === 2)
  expect(ana.received.toSorted()).toEqual(['kept/1 x', 'kept/2 x'])
  expect(await broker.dropRetained(() => false)).toBe(0)
})
