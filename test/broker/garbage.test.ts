import { setTimeout as sleep } from 'node:timers/promises'
import packets, { type Packet } from 'mqtt-packet'
import { expect, test } from 'vitest'
import { seeded } from '../support/delivery-world.ts'
import { rawClient, startBench, until } from './support.ts'

const STREAMS = 600
const AT_ONCE = 20
const MUTATIONS_MAX = 6

const valid: Packet[] = [
  {
    cmd: 'subscribe',
    messageId: 1,
    subscriptions: [
      { topic: 'a/#', qos: 2 },
      { topic: '+', qos: 1 },
    ],
  },
  { cmd: 'publish', topic: 'a/b', payload: 'text', qos: 1, retain: true, dup: false, messageId: 2 },
  { cmd: 'publish', topic: 'a', payload: 'text', qos: 2, retain: false, dup: false, messageId: 3 },
  { cmd: 'pubrel', messageId: 3 },
  { cmd: 'puback', messageId: 9 },
  { cmd: 'pubrec', messageId: 9 },
  { cmd: 'pubcomp', messageId: 9 },
  { cmd: 'unsubscribe', messageId: 4, unsubscriptions: ['a/#'] },
  { cmd: 'pingreq' },
]

const connect = (id: number): Packet => ({
  cmd: 'connect',
  clientId: `raw-${id}`,
  username: 'ana',
  password: Buffer.from('right'),
  clean: id % 2 === 0,
  protocolId: 'MQTT',
  protocolVersion: 4,
  keepalive: 0,
  ...(id % 3 === 0 ? { will: { topic: 'a/will', payload: Buffer.from('w'), qos: 2, retain: true } } : {}),
})

/** A few bytes changed, taken out, doubled or put in. */
function mutate(bytes: Buffer, random: () => number): Buffer {
  let mutated = bytes
  for (let n = Math.floor(random() * MUTATIONS_MAX); n > 0; n -= 1) {
    const at = Math.floor(random() * mutated.length)
    const [head, tail] = [mutated.subarray(0, at), mutated.subarray(at)]
    const some = Buffer.from([Math.floor(random() * 256)])
    const kinds = [
      [head, some, tail.subarray(1)],
      [head, tail.subarray(1)],
      [head, some, tail],
      [head, tail.subarray(0, 8), tail],
      [head],
    ]
    mutated = Buffer.concat(kinds[Math.floor(random() * kinds.length)] ?? [])
  }
  return mutated
}

test('damaged packets close their own connection at most; an honest client is served throughout', async () => {
  const bench = await startBench({
    publish: ['ana a'],
    subscribe: ['ana #', 'ben #'],
    receive: ['ana #', 'ben ok'],
  })
  try {
    const random = seeded(7)
    const ben = await bench.client({ clientId: 'b', username: 'ben' })
    await ben.mqtt.subscribeAsync('ok', { qos: 1 })
    for (let first = 0; first < STREAMS; first += AT_ONCE) {
      const raws = await Promise.all(
        Array.from({ length: AT_ONCE }, async (_, n) => {
          const raw = await rawClient(bench.url)
          raw.ignoreAnswers()
          const order = [...valid].sort(() => random() - 0.5).map((packet) => packets.generate(packet))
          const login = packets.generate(connect(first + n))
          const intact = random() < 0.7
          raw.socket.write(intact ? login : mutate(login, random))
          raw.socket.write(mutate(Buffer.concat(order), random))
          return raw
        }),
      )
      await bench.broker.publish({ topic: 'ok', payload: Buffer.from(String(first)), qos: 1, retain: false })
      await until(() => ben.received.includes(`ok ${first}`))
      await sleep(20)
      for (const raw of raws) raw.socket.destroy()
    }
    await until(() => bench.broker.stats().clients === 1)
    expect(ben.mqtt.connected).toBe(true)
    expect(ben.received).toHaveLength(STREAMS / AT_ONCE)
    expect(bench.broker.stats().published).toBeGreaterThan(STREAMS / 10)
  } finally {
    await bench.stop()
  }
})
