import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, expect, onTestFinished, test } from 'vitest'
import type { TrafficRegister } from '../../broker/persistence/index.ts'
import { startHeadgateBroker } from '../support/broker-process.ts'
import {
  ackPacket,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  type PublishFields,
  publishPacket,
  PUBREC,
  PUBREL,
} from '../support/mqtt-bytes.ts'
import { RawClient } from '../support/raw-client.ts'
import { type Bench, startBench, until } from './support.ts'

let bench: Bench | undefined
afterEach(async () => {
  await bench?.stop()
  bench = undefined
})

/** Numbers that look random and are the same in each run. */
function chance(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Registers reckoned from what sockets sent and saw. */
class Reckoning {
  readonly #registers = new Map<string, Record<string, number>>()

  add(principalId: string, topic: string, direction: 'in' | 'out', what: Partial<TrafficRegister>): void {
    const key = `${principalId} ${topic.split('/')[0] ?? ''} ${direction}`
    const none = { messages: 0, bytes: 0, retransmitted: 0, refused: 0, refusedBytes: 0 }
    const register: Record<string, number> = this.#registers.get(key) ?? none
    for (const [name, value] of Object.entries(what)) register[name] = (register[name] ?? 0) + Number(value)
    this.#registers.set(key, register)
  }

  get sorted(): [string, object][] {
    return [...this.#registers].toSorted(([a], [b]) => (a < b ? -1 : 1))
  }
}

const shown = (registers: readonly TrafficRegister[]): [string, object][] =>
  registers
    .map(({ principalId, owner, direction, ...sums }): [string, object] => [
      `${principalId} ${owner} ${direction}`,
      sums,
    ])
    .toSorted(([a], [b]) => (a < b ? -1 : 1))

/** A subscriber that answers, or does not, and tells the reckoning what came. */
function counting(
  client: RawClient,
  name: string,
  { reckoning, answers }: { reckoning: Reckoning; answers: boolean },
): { seen: number } {
  const count = { seen: 0 }
  client.onPacket = (packet) => {
    const { type, flags } = packet
    const body = packet.bytes.subarray(packet.start, packet.end)
    const id = body.length >= 2 ? body.readUInt16BE(0) : 0
    if (type === PUBREL && answers) client.socket.write(ackPacket(PUBCOMP, id))
    if (type !== PUBLISH) return
    count.seen += 1
    const length = body.readUInt16BE(0)
    const topic = body.toString('utf8', 2, 2 + length)
    const bytes = 1 + (body.length < 128 ? 1 : body.length < 16_384 ? 2 : 3) + body.length
    reckoning.add(name, topic, 'out', (flags & 8) !== 0 ? { retransmitted: bytes } : { messages: 1, bytes })
    const qos = (flags >> 1) & 3
    if (qos > 0 && answers)
      client.socket.write(ackPacket(qos === 1 ? PUBACK : PUBREC, body.readUInt16BE(2 + length)))
  }
  return count
}

interface Publisher {
  readonly name: string
  readonly random: (below: number) => number
  readonly reckoning: Reckoning
  /** Messages that everybody, and that the subscriber of `shared` gets. */
  readonly sent: { taken: number; shared: number }
  readonly isAllowed: (owner: string) => boolean
}

/** Publishes 150 messages of all kinds, and some of them again. */
async function publishAll(client: RawClient, publisher: Publisher): Promise<void> {
  const { name, random, reckoning, sent, isAllowed } = publisher
  let answered = 0
  let wanted = 0
  client.onPacket = ({ type }) => {
    if (type === PUBACK || type === PUBREC) answered += 1
  }
  const send = (fields: PublishFields, isAgain: boolean): void => {
    const { topic, qos } = fields
    const packet = publishPacket({ ...fields, dup: isAgain })
    const bytes = packet.length
    client.send(packet)
    if (qos !== 0) wanted += 1
    const [owner = ''] = topic.split('/')
    if (!isAllowed(owner)) {
      reckoning.add(name, topic, 'in', { refused: 1, refusedBytes: bytes })
      return
    }
    reckoning.add(name, topic, 'in', isAgain ? { retransmitted: bytes } : { messages: 1, bytes })
    // Of QoS 1 it is a message again for whoever subscribed.
    if (isAgain && qos === 2) return
    sent.taken += 1
    if (owner === 'shared') sent.shared += 1
  }
  for (let id = 1; id <= 150; id += 1) {
    const topic = `${['own', 'shared', 'other'][random(3)] ?? ''}/${random(5)}`
    const qos = random(3) as 0 | 1 | 2
    const fields = { topic, payload: Buffer.alloc(random(300), 'x'), qos, id, retain: random(4) === 0 }
    send(fields, false)
    // A client that saw no answer sends it again, at once or later.
    if (qos === 0 || random(3) !== 0) continue
    if (random(2) === 0) await until(() => answered === wanted)
    send(fields, true)
  }
  await until(() => answered === wanted)
}

test('registers are byte for byte what sockets sent and saw, whatever came again or was refused', async () => {
  const everything = ['ana', 'ben', 'cy', 'dee'].map((name) => `${name} #`)
  const publish = ['ana own', 'ana shared', 'ben shared', 'ben other']
  const ownerOf = (topic: string): string => topic.split('/')[0] ?? ''
  bench = await startBench({ publish, subscribe: everything, receive: everything }, { ownerOf })
  const { broker } = bench
  const port = Number(new URL(bench.url).port)
  const login = (username: string, clean: boolean) => ({
    clientId: username,
    clean,
    username,
    password: 'right',
  })
  const reckoning = new Reckoning()
  const dee = login('dee', false)
  const away = await RawClient.open(port, dee)
  const first = counting(away, 'dee', { reckoning, answers: false })
  await away.subscribe(['shared/#'], 2)
  const cy = await RawClient.open(port, login('cy', true))
  const live = counting(cy, 'cy', { reckoning, answers: true })
  await cy.subscribe(['#'], 2)

  const random = chance(7)
  const sent = { taken: 0, shared: 0 }
  for (const name of ['ana', 'ben']) {
    const client = await RawClient.open(port, login(name, name === 'ana'))
    await publishAll(client, {
      name,
      random,
      reckoning,
      sent,
      isAllowed: (topic) => publish.includes(`${name} ${topic}`),
    })
    client.destroy()
  }
  await until(() => live.seen === sent.taken && first.seen === sent.shared)
  away.socket.destroy()
  await until(() => broker.stats().clients === 1)
  const back = await RawClient.open(port, dee)
  const second = counting(back, 'dee', { reckoning, answers: true })
  await until(() => second.seen > 0)
  // Only what has a row comes again: QoS 0 does not.
  const queued = (): unknown =>
    broker.metrics().find(({ name }) => name === 'headgate_broker_queued_messages')?.samples[0]
  await until(() => JSON.stringify(queued()) === '{"labels":{},"value":0}')
  await broker.closeSessions(() => false)
  expect(shown(broker.traffic())).toEqual(reckoning.sorted)
  for (const client of [cy, back]) client.socket.destroy()
})

test('a message that was counted and one that was not are told apart after kill -9', {
  timeout: 120_000,
}, async () => {
  const data = mkdtempSync(join(tmpdir(), 'headgate-metering-'))
  onTestFinished(() => {
    rmSync(data, { recursive: true, force: true })
  })
  const keep = { clientId: 'keep', clean: false }
  const size = publishPacket({ topic: 'a/b', payload: Buffer.alloc(40), qos: 1, id: 1 }).length
  for (let round = 1; round <= 3; round += 1) {
    const broker = await startHeadgateBroker({ data })
    onTestFinished(() => broker.end('SIGKILL').then(() => undefined))
    const subscriber = await RawClient.open(broker.port, keep)
    await subscriber.subscribe(['a/#'], 1)
    const client = await RawClient.clean(broker.port, 'sender')
    let answered = 0
    client.onPacket = ({ type }) => {
      if (type === PUBACK && (answered += 1) === 300 * round) process.kill(broker.pid, 'SIGKILL')
    }
    // A killed process resets what it had not read: that is an end like any other.
    const gone = new Promise((resolve) => client.socket.once('close', resolve))
    for (let id = 1; id <= 2_000; id += 1)
      client.socket.write(publishPacket({ topic: 'a/b', payload: Buffer.alloc(40), qos: 1, id }))
    await gone
    await broker.end('SIGKILL')
    for (const { socket } of [client, subscriber]) socket.destroy()
    const { queued, registers } = stateIn(data)
    const incoming = registers.find(({ direction }) => direction === 'in')
    // Nobody acknowledged anything: each message that is there is one that was counted, and the other way round.
    expect(incoming).toMatchObject({ messages: queued, bytes: queued * size, retransmitted: 0 })
    expect(queued).toBeGreaterThanOrEqual(300)
  }
  const { queued } = stateIn(data)
  const broker = await startHeadgateBroker({ data })
  onTestFinished(() => broker.end('SIGKILL').then(() => undefined))
  const subscriber = new RawClient(broker.port)
  const count = counting(subscriber, 'anonymous', { reckoning: new Reckoning(), answers: true })
  await subscriber.logIn(keep)
  await until(() => count.seen === queued, 60_000)
  await broker.end('SIGTERM')
  const outgoing = stateIn(data).registers.find(({ direction }) => direction === 'out')
  expect(outgoing).toMatchObject({ messages: queued, bytes: queued * size })
  subscriber.socket.destroy()
})

/** What a killed broker left. */
function stateIn(folder: string): { queued: number; registers: TrafficRegister[] } {
  const database = new Database(join(folder, 'broker.db'))
  try {
    const queued = database.prepare('SELECT count(*) FROM broker_queue').pluck().get() as number
    const registers = database.prepare('SELECT * FROM broker_traffic').all() as TrafficRegister[]
    return { queued, registers }
  } finally {
    database.close()
  }
}
