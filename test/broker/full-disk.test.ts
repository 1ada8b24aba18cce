import { mkdtempSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import packets, { type IConnectPacket, type IPublishPacket } from 'mqtt-packet'
import { type BrokerLimits, openBrokerStorage, type OpenedBrokerStorage } from '../../broker/index.ts'
import {
  type Bench,
  rawClient,
  type RawClient,
  type Rules,
  startBench,
  type TestClient,
  until,
} from './support.ts'

const PAGES_ENOUGH = 1_000_000
/** Long enough for several turns of the event loop and a retry of the writer. */
const NO_ANSWER_MS = 1_500

let bench: Bench
let storage: OpenedBrokerStorage
let folder: string
afterEach(async () => {
  freeDisk()
  await bench.stop()
  storage.close()
  rmSync(folder, { recursive: true })
})

const ANA: Partial<Rules> = { publish: ['ana #'], subscribe: ['ana #'], receive: ['ana #'] }
/** More than a page has room for. */
const LARGE = Buffer.alloc(200_000, 'x')

async function startOnDisk(limits: Partial<BrokerLimits> = {}): Promise<void> {
  folder = mkdtempSync(join(tmpdir(), 'headgate-full-'))
  storage = openBrokerStorage(folder, { onDamage: () => undefined })
  bench = await startBench(ANA, { storage, limits: { memoryBytes: 2 * 1024 ** 3, ...limits } })
}

function fillDisk(): void {
  storage.database.pragma(
    `max_page_count = ${String(storage.database.pragma('page_count', { simple: true }))}`,
  )
}

function freeDisk(): void {
  storage.database.pragma(`max_page_count = ${PAGES_ENOUGH}`)
}

/** The disk is full, and the broker has met that. */
async function metFullDisk(): Promise<void> {
  fillDisk()
  const filler = await loggedIn('filler', true)
  filler.send(publish(1, LARGE))
  await until(() => storage.writer.refused)
  filler.socket.destroy()
  await until(() => closed() === 1)
}

async function loggedIn(
  clientId: string,
  clean: boolean,
  more: Pick<IConnectPacket, 'will'> = {},
): Promise<RawClient> {
  const raw = await rawClient(bench.url)
  raw.send(login(clientId, clean, more))
  await raw.next('connack')
  return raw
}

const login = (
  clientId: string,
  clean: boolean,
  more: Pick<IConnectPacket, 'will'> = {},
): IConnectPacket => ({
  cmd: 'connect',
  clientId,
  username: 'ana',
  password: Buffer.from('right'),
  clean,
  protocolId: 'MQTT',
  protocolVersion: 4,
  keepalive: 0,
  ...more,
})

const publish = (messageId: number, payload: Buffer): IPublishPacket => ({
  cmd: 'publish',
  topic: 'a',
  payload,
  qos: 1,
  messageId,
  retain: true,
  dup: false,
})

test('while the disk takes nothing no promise is made: no PUBACK, SUBACK or PUBCOMP; QoS 0 goes on; then all are', async () => {
  await startOnDisk()
  const live = await bench.client({ clientId: 'live', username: 'ana' })
  await live.mqtt.subscribeAsync('live')
  const [publisher, subscriber, releaser] = [
    await loggedIn('publisher', true),
    await loggedIn('subscriber', false),
    await loggedIn('releaser', false),
  ]
  releaser.send({ ...publish(5, Buffer.from('x')), qos: 2 })
  await releaser.next('pubrec')

  fillDisk()
  const answers: string[] = []
  const waits = async (raw: RawClient, cmd: 'puback' | 'suback' | 'pubcomp'): Promise<void> => {
    await raw.next(cmd)
    answers.push(cmd)
  }
  publisher.send(publish(1, LARGE))
  await sleep(20)
  subscriber.send({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: 'b', qos: 1 }] })
  releaser.send({ cmd: 'pubrel', messageId: 5 })
  releaser.send({ cmd: 'pubrel', messageId: 5 })
  const answered = Promise.all([
    waits(publisher, 'puback'),
    waits(subscriber, 'suback'),
    waits(releaser, 'pubcomp'),
  ])
  await bench.broker.publish({ topic: 'live', payload: Buffer.from('on'), qos: 0, retain: false })
  await until(() => live.received.includes('live on'))
  await sleep(NO_ANSWER_MS)
  expect(answers).toEqual([])

  freeDisk()
  await answered
  expect(answers.sort()).toEqual(['puback', 'pubcomp', 'suback'])
  for (const raw of [publisher, subscriber, releaser]) raw.socket.destroy()
})

describe('a goodbye behind a message for which there is no room', () => {
  const will = { topic: 'will', payload: Buffer.from('dead'), qos: 0, retain: false } as const
  const goodbye = packets.generate({ cmd: 'disconnect' })

  /** A watcher of wills, and a client with one whose message waits for the disk. */
  async function heldWithWill(): Promise<{ watcher: TestClient; held: RawClient }> {
    await startOnDisk({ storeWaitMs: 300 })
    const watcher = await bench.client({ clientId: 'watcher', username: 'ana' })
    await watcher.mqtt.subscribeAsync(['will', 'end'])
    const held = await loggedIn('held', true, { will })
    await metFullDisk()
    return { watcher, held }
  }

  /** Wills that went out before this. */
  async function wills({ received }: TestClient): Promise<string[]> {
    await bench.broker.publish({ topic: 'end', payload: Buffer.from('x'), qos: 0, retain: false })
    await until(() => received.includes('end x'))
    return received.filter((text) => text.startsWith('will'))
  }

  const ends: [string, (socket: Socket) => unknown][] = [
    ['in the same segment, and the peer waits', (socket) => socket.write(goodbye)],
    ['and the peer hangs up', (socket) => socket.end(goodbye)],
    [
      'later, and the connection is reset',
      async (socket) => {
        await sleep(50)
        socket.write(goodbye)
        await sleep(50)
        socket.resetAndDestroy()
      },
    ],
    [
      'and the same client connects again',
      async (socket) => {
        socket.write(goodbye)
        await sleep(50)
        await loggedIn('held', true)
      },
    ],
  ]
  test.for(ends)('is heard: %s', async ([, end]) => {
    const { watcher, held } = await heldWithWill()
    held.socket.cork()
    held.send(publish(1, Buffer.from('x')))
    const ended = end(held.socket)
    held.socket.uncork()
    await ended
    await until(() => closed() === 2)
    expect(await wills(watcher)).toEqual([])
    held.socket.destroy()
  })

  test('is none where a packet before it breaks the protocol', async () => {
    const { watcher, held } = await heldWithWill()
    held.socket.write(
      Buffer.concat([packets.generate(publish(1, Buffer.from('x'))), Buffer.from([0xf0, 0]), goodbye]),
    )
    await until(() => closed() === 2)
    expect(await wills(watcher)).toEqual(['will dead'])
  })
})

/** Connections that have been closed. */
const closed = (): number =>
  (bench.broker.metrics().find(({ name }) => name === 'headgate_broker_closed_total')?.samples ?? [])
    .map((sample) => ('value' in sample ? sample.value : 0))
    .reduce((sum, value) => sum + value, 0)

test.for([
  ['a stored session', false, {}],
  ['a will', true, { will: { topic: 'w', payload: Buffer.from('x'), qos: 0, retain: false } }],
] as const)(
  'a login with %s is refused before it takes over the connection that is there',
  async ([, clean, more]) => {
    await startOnDisk()
    const there = await loggedIn('same', false)
    there.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'live', qos: 0 }] })
    await there.next('suback')
    await metFullDisk()
    const late = await rawClient(bench.url)
    late.send(login('same', clean, more))
    expect(await late.next('connack')).toMatchObject({ returnCode: 3 })
    await bench.broker.publish({ topic: 'live', payload: Buffer.from('on'), qos: 0, retain: false })
    expect(await there.next('publish')).toMatchObject({ topic: 'live' })
    freeDisk()
    await until(() => !storage.writer.refused)
    const again = await loggedIn('same', clean, more)
    for (const raw of [there, late, again]) raw.socket.destroy()
  },
)

test('an UNSUBSCRIBE of a stored session is not answered, and closed after storeWaitMs; it holds once there is room', async () => {
  await startOnDisk({ storeWaitMs: 300 })
  const raw = await loggedIn('session', false)
  raw.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'b', qos: 1 }] })
  await raw.next('suback')
  const filters = (): unknown => storage.database.prepare('SELECT count(*) FROM broker_filter').pluck().get()
  await metFullDisk()
  const answers: string[] = []
  raw.next('unsuback').then(
    () => answers.push('unsuback'),
    () => undefined,
  )
  raw.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['b'] })
  await until(() => raw.socket.closed)
  expect([answers, filters()]).toEqual([[], 1])
  freeDisk()
  await until(() => filters() === 0)
})

test('an end on a full disk says so, with what to do', async () => {
  await startOnDisk()
  await metFullDisk()
  await bench.stop()
  expect(() => {
    storage.close()
  }).toThrow(expect.objectContaining({ code: 'BROKER_STORE_FULL', hint: 'Free space on the disk.' }))
  expect(storage.database.open).toBe(false)
  storage = openBrokerStorage(folder, { onDamage: () => undefined })
})
