import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { openBrokerStorage, type OpenedBrokerStorage } from '../../broker/index.ts'
import { type Bench, rawClient, type RawClient, startBench, until } from './support.ts'

const PAGES_ENOUGH = 1_000_000
/** Long enough for several turns of the event loop and a retry of the writer. */
const NO_ANSWER_MS = 1_500

let bench: Bench
let storage: OpenedBrokerStorage
let folder: string
afterEach(async () => {
  await bench.stop()
  storage.close()
  rmSync(folder, { recursive: true })
})

async function loggedIn(clientId: string, clean: boolean): Promise<RawClient> {
  const raw = await rawClient(bench.url)
  raw.send({
    cmd: 'connect',
    clientId,
    username: 'ana',
    password: Buffer.from('right'),
    clean,
    protocolId: 'MQTT',
    protocolVersion: 4,
    keepalive: 0,
  })
  await raw.next('connack')
  return raw
}

test('while the disk takes nothing no promise is made: no PUBACK, SUBACK or PUBCOMP; QoS 0 goes on; then all are', async () => {
  folder = mkdtempSync(join(tmpdir(), 'headgate-full-'))
  storage = openBrokerStorage(folder, { onDamage: () => undefined })
  const all = { publish: ['ana #'], subscribe: ['ana #'], receive: ['ana #'] }
  bench = await startBench(all, { storage })
  const live = await bench.client({ clientId: 'live', username: 'ana' })
  await live.mqtt.subscribeAsync('live')
  const [publisher, subscriber, releaser] = [
    await loggedIn('publisher', true),
    await loggedIn('subscriber', false),
    await loggedIn('releaser', false),
  ]
  const qos2 = {
    cmd: 'publish',
    topic: 'a',
    payload: 'x',
    qos: 2,
    messageId: 5,
    retain: false,
    dup: false,
  } as const
  releaser.send(qos2)
  await releaser.next('pubrec')

  const pages = Number(storage.database.pragma('page_count', { simple: true }))
  storage.database.pragma(`max_page_count = ${pages}`)
  const answers: string[] = []
  const waits = async (raw: RawClient, cmd: 'puback' | 'suback' | 'pubcomp'): Promise<void> => {
    await raw.next(cmd)
    answers.push(cmd)
  }
  const large = Buffer.alloc(200_000, 'x')
  publisher.send({
    cmd: 'publish',
    topic: 'a',
    payload: large,
    qos: 1,
    messageId: 1,
    retain: true,
    dup: false,
  })
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

  storage.database.pragma(`max_page_count = ${PAGES_ENOUGH}`)
  await answered
  expect(answers.sort()).toEqual(['puback', 'pubcomp', 'suback'])
  for (const raw of [publisher, subscriber, releaser]) raw.socket.destroy()
})
