import packets from 'mqtt-packet'
import { afterEach, expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../broker/index.ts'
import { type Bench, rawClient, type RawClient, startBench, until } from './support.ts'

let bench: Bench
afterEach(() => bench.stop())

/** Anybody may do anything; counts how often the policy is asked for a filter. */
async function startAsked(inflightOut: number, may = true): Promise<{ asked: () => number }> {
  let asked = 0
  bench = await startBench(
    {},
    {
      limits: { inflightOut, memoryBytes: 2 * 1024 ** 3 },
      policy: {
        connect: () => Promise.resolve({ allowed: true, principal: { id: 'ana' } }),
        principal: (id) => ({ id }),
        mayPublish: () => 'allow',
        maySubscribe: () => {
          asked += 1
          return may
        },
        mayReceive: () => true,
      },
    },
  )
  return { asked: () => asked }
}

async function connected(): Promise<RawClient> {
  const raw = await rawClient(bench.url)
  const protocol = { protocolId: 'MQTT', protocolVersion: 4, keepalive: 0 } as const
  raw.send({ cmd: 'connect', clientId: 'a', clean: true, ...protocol })
  await raw.next('connack')
  return raw
}

test('60,000 times the same filter in one packet is one subscription, answered 60,000 times', async () => {
  const { asked } = await startAsked(10)
  for (let n = 0; n < 500; n += 1) {
    await bench.broker.publish({ topic: `t/${n}`, payload: Buffer.from('x'), qos: 0, retain: true })
  }
  const raw = await connected()
  const subscriptions = Array.from({ length: 60_000 }, () => ({ topic: '+', qos: 0 as const }))
  raw.send({ cmd: 'subscribe', messageId: 1, subscriptions })
  const { granted } = (await raw.next('suback')) as { granted: number[] }
  expect([granted.length, new Set(granted)]).toEqual([60_000, new Set([0])])
  expect(asked()).toBe(1)
  raw.socket.destroy()
}, 20_000)

test('of 30,000 different filters in one packet that are refused, no more are asked about than a client may have', async () => {
  const { asked } = await startAsked(10, false)
  const raw = await connected()
  const subscriptions = Array.from({ length: 30_000 }, (_, n) => ({ topic: n.toString(36), qos: 0 as const }))
  raw.send({ cmd: 'subscribe', messageId: 1, subscriptions })
  const { granted } = (await raw.next('suback')) as { granted: number[] }
  expect([granted.length, new Set(granted)]).toEqual([30_000, new Set([0x80])])
  expect(asked()).toBe(DEFAULT_LIMITS.subscriptions)
  expect(bench.broker.stats().refusedSubscriptions).toBe(30_000)
  raw.socket.destroy()
}, 20_000)

test('of retained messages that are sent late, none that was replaced meanwhile comes after its successor', async () => {
  await startAsked(1)
  const publish = (topic: string, text: string): Promise<unknown> =>
    bench.broker.publish({ topic, payload: Buffer.from(text), qos: 1, retain: true })
  for (const n of [1, 2, 3, 4]) await publish(`t/${n}`, 'old')
  const raw = await connected()
  const heard: string[] = []
  const waiting: number[] = []
  const parser = packets.parser({ protocolVersion: 4 })
  parser.on('packet', (packet) => {
    if (packet.cmd !== 'publish') return
    heard.push(`${packet.topic} ${packet.payload.toString()}`)
    waiting.push(packet.messageId ?? 0)
  })
  raw.socket.on('data', (bytes: Buffer) => parser.parse(bytes))
  raw.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't/#', qos: 1 }] })
  // The first is not acknowledged, so the second waits behind it and the others are not taken yet.
  await until(() => heard.length === 1)
  await publish('t/3', 'new')
  await publish('t/4', 'new')
  const acknowledging = setInterval(() => {
    const messageId = waiting.shift()
    if (messageId !== undefined) raw.send({ cmd: 'puback', messageId })
  }, 5)
  await until(() => heard.includes('t/4 new'))
  await publish('end', 'x')
  await new Promise((resolve) => setTimeout(resolve, 300))
  clearInterval(acknowledging)
  expect(heard).toEqual(['t/1 old', 't/2 old', 't/3 new', 't/4 new'])
  raw.socket.destroy()
})
