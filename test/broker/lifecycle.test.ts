import { once } from 'node:events'
import { connect as dial } from 'node:net'
import type { IConnectPacket } from 'mqtt-packet'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import {
  type BrokerPolicy,
  openBrokerStorage,
  type OpenedBrokerStorage,
  type Principal,
} from '../../broker/index.ts'
import type { BrokerLimits } from '../../broker/limits.ts'
import type { CommitWriter } from '../../broker/persistence/message-store.ts'
import { connectPacket, Peer, publishPacket, subscribePacket } from './conformance/support.ts'
import { type Bench, startBench, until } from './support.ts'

/** Commits as the real one does, unless its disk `isStuck` or, as is known then, is full. */
class Disk implements CommitWriter {
  refused = false
  isStuck = false
  readonly #writer: CommitWriter

  constructor({ writer }: OpenedBrokerStorage) {
    this.#writer = writer
  }

  join(...participant: Parameters<CommitWriter['join']>): void {
    this.#writer.join(...participant)
  }

  commitSoon(): Promise<void> {
    return this.isStuck || this.refused ? new Promise(() => undefined) : this.#writer.commitSoon()
  }

  wake(): void {
    this.#writer.wake()
  }
}

const everything: BrokerPolicy<Principal> = {
  connect: ({ username }) => Promise.resolve({ allowed: true, principal: { id: username ?? 'anybody' } }),
  principal: (id) => ({ id }),
  mayPublish: () => 'allow',
  maySubscribe: () => true,
  mayReceive: () => true,
}

let bench: Bench
let disk: Disk
let storage: OpenedBrokerStorage
afterEach(() => bench.stop())

async function start(
  policy: Partial<BrokerPolicy<Principal>> = {},
  limits: Partial<BrokerLimits> = {},
): Promise<void> {
  storage = openBrokerStorage(':memory:', { onDamage: () => undefined })
  disk = new Disk(storage)
  const { database } = storage
  const memoryBytes = 2 * 1024 ** 3
  bench = await startBench(
    {},
    {
      policy: { ...everything, ...policy },
      storage: { database, writer: disk },
      limits: { memoryBytes, ...limits },
    },
  )
}

async function stranger(): Promise<Peer> {
  const { hostname, port } = new URL(bench.url)
  const socket = dial(Number(port), hostname)
  await once(socket, 'connect')
  const peer = new Peer(socket)
  onTestFinished(() => {
    socket.destroy()
  })
  return peer
}

/** A client that has sent its CONNECT. */
async function asking(options: Partial<IConnectPacket> = {}): Promise<Peer> {
  const peer = await stranger()
  peer.send(connectPacket(options))
  return peer
}

async function connected(options: Partial<IConnectPacket> = {}): Promise<Peer> {
  const peer = await asking(options)
  expect(await peer.take('connack')).toMatchObject({ returnCode: 0 })
  return peer
}

const will = (text: string): IConnectPacket['will'] & object => ({
  topic: 'will',
  payload: Buffer.from(text),
  qos: 0,
  retain: false,
})

const storedWills = (): unknown[] =>
  storage.database
    .prepare('SELECT client, payload FROM broker_will')
    .all()
    .map((row) => {
      const { client, payload } = row as { client: string; payload: Buffer }
      return `${client} ${payload.toString()}`
    })

const gauge = (name: string): number | undefined => {
  const sample = bench.broker.metrics().find((family) => family.name === `headgate_broker_${name}`)
    ?.samples[0]
  return sample !== undefined && 'value' in sample ? sample.value : undefined
}

describe('a connection that is gone before its CONNACK', () => {
  test.for([
    ['of a clean session', { clean: true }],
    ['of a stored session', { clean: false }],
    ['with a will', { clean: true, will: will('x') }],
    ['whose client id others use too', { clientId: 'same' }],
  ] as const)('leaves no login behind, %s', async ([, options]) => {
    await start({}, { connectionsPerPrincipal: 5 })
    for (let n = 0; n < 20; n += 1) {
      const peer = await stranger()
      // Accepted by the broker, which then finds the CONNECT and the reset at once.
      await until(() => gauge('connections') === 1)
      peer.send(connectPacket(options))
      peer.socket.resetAndDestroy()
      await until(() => gauge('connections') === 0)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(bench.broker.stats().clients).toBe(0)
    await connected({ clientId: 'newcomer' })
    expect(storedWills()).toEqual([])
  })

  test('leaves none behind where the policy answers only then', async () => {
    const answers: (() => void)[] = []
    const connect: BrokerPolicy<Principal>['connect'] = ({ username }) =>
      new Promise((resolve) => {
        const answer = (): void => {
          resolve({ allowed: true, principal: { id: username ?? '' } })
        }
        if (username === 'late') answers.push(answer)
        else answer()
      })
    await start({ connect }, { connectionsPerPrincipal: 2 })
    for (let n = 0; n < 5; n += 1) (await asking({ username: 'late' })).socket.resetAndDestroy()
    await until(() => answers.length === 5 && gauge('connections') === 0)
    for (const answer of answers) answer()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(bench.broker.stats().clients).toBe(0)
    const last = await asking({ username: 'late' })
    await until(() => answers.length === 6)
    answers[5]?.()
    expect(await last.take('connack')).toMatchObject({ returnCode: 0 })
  })
})

describe('a will', () => {
  test('is not published once DISCONNECT was read, also where what came before it still waits for the disk', async () => {
    await start()
    const watcher = await connected()
    await watcher.subscribe(['will', 0])
    const peer = await connected({ will: will('dead') })
    disk.isStuck = true
    peer.send(publishPacket('a', 'b', { qos: 1 }), { cmd: 'disconnect' }, Buffer.from([0xc0, 0]))
    await new Promise((resolve) => setTimeout(resolve, 50))
    peer.socket.resetAndDestroy()
    await until(() => bench.broker.stats().clients === 1)
    expect(await watcher.ping()).toEqual([])
    expect(bench.broker.stats().quarantined).toBe(0)
    disk.isStuck = false
    await storage.writer.commitSoon()
    expect(storedWills()).toEqual([])
  })

  test('of a connection that takes over stays stored, and goes with that connection', async () => {
    await start()
    const watcher = await connected()
    await watcher.subscribe(['will', 0])
    await connected({ clientId: 'c', will: will('old') })
    const second = await connected({ clientId: 'c', will: will('new') })
    expect((await watcher.take('publish')).payload.toString()).toBe('old')
    await storage.writer.commitSoon()
    expect(storedWills()).toEqual(['c new'])
    second.socket.resetAndDestroy()
    expect((await watcher.take('publish')).payload.toString()).toBe('new')
    await storage.writer.commitSoon()
    expect(storedWills()).toEqual([])
  })

  test('is on the disk before the CONNACK', async () => {
    await start()
    await connected({ clientId: 'c', will: will('dead') })
    expect(storedWills()).toEqual(['c dead'])
  })
})

describe('where nothing can be stored', () => {
  test.for([
    ['a stored session', { clean: false }],
    ['a will', { will: will('x') }],
  ] as const)(
    'a CONNECT with %s is refused at once while the disk is known to be full',
    async ([, options]) => {
      await start()
      const watcher = await connected()
      await watcher.subscribe(['will', 0])
      disk.refused = true
      const peer = await asking(options)
      expect(await peer.untilClosed()).toMatchObject([{ cmd: 'connack', returnCode: 3 }])
      await connected()
      expect(await watcher.ping()).toEqual([])
      expect(gauge('sessions')).toBe(0)
      disk.refused = false
      await connected(options)
    },
  )

  test.for([
    ['a stored session', { clean: false }],
    ['a will', { will: will('x') }],
  ] as const)('a CONNECT with %s is refused after storeWaitMs', async ([, options]) => {
    await start({}, { storeWaitMs: 200 })
    disk.isStuck = true
    const peer = await asking(options)
    expect(await peer.untilClosed()).toMatchObject([{ cmd: 'connack', returnCode: 3 }])
    expect(bench.broker.stats().clients).toBe(0)
    expect(gauge('sessions')).toBe(0)
  })

  test('a SUBSCRIBE of a stored session is not answered, and closed after storeWaitMs', async () => {
    await start({}, { storeWaitMs: 200 })
    const peer = await connected({ clean: false })
    disk.isStuck = true
    peer.send(subscribePacket(1, ['a', 1]))
    expect(await peer.untilClosed()).toEqual([])
  })

  test.for(['refused', 'isStuck'] as const)('the broker ends all the same (%s)', async (how) => {
    await start()
    const peer = await connected()
    disk[how] = true
    peer.send(publishPacket('a', 'b', { qos: 1 }))
    await peer.ping()
    await bench.broker.stop()
    expect(bench.broker.stats().clients).toBe(0)
  })
})

describe('who may log in', () => {
  test('is asked again where rights were revoked while the policy was being asked', async () => {
    const answers: (() => void)[] = []
    const connect: BrokerPolicy<Principal>['connect'] = () =>
      new Promise((resolve) => {
        const isFirst = answers.length === 0
        answers.push(() => {
          resolve(
            isFirst
              ? { allowed: true, principal: { id: 'ana' } }
              : { allowed: false, because: 'not-authorised' },
          )
        })
      })
    await start({ connect })
    const peer = await asking()
    await until(() => answers.length === 1)
    await bench.broker.closeSessions(({ id }) => id === 'ana')
    answers[0]?.()
    await until(() => answers.length === 2)
    answers[1]?.()
    expect(await peer.untilClosed()).toMatchObject([{ cmd: 'connack', returnCode: 5 }])
  })

  test('with the client id of a stored session: only its principal, or anybody once that is gone', async () => {
    const gone = new Set<string>()
    await start({ principal: (id) => (gone.has(id) ? undefined : { id }) })
    const session = { clientId: 'c', clean: false }
    const first = await connected({ ...session, username: 'ana' })
    await first.subscribe(['a', 1])
    await first.leave()
    const early = await asking({ ...session, username: 'ben' })
    expect(await early.take('connack')).toMatchObject({ returnCode: 2 })
    gone.add('ana')
    const late = await asking({ ...session, username: 'ben' })
    expect(await late.take('connack')).toMatchObject({ returnCode: 0, sessionPresent: false })
    await late.publish('a', 'not for me')
    expect(await late.ping()).toEqual([])
  })
})
