import { expect, onTestFinished, test } from 'vitest'
import { type Giving, StoredRoom } from '../../../broker/delivery/stored-room.ts'
import { openBrokerStorage } from '../../../broker/index.ts'
import { memoryOf, SqliteMessageStore } from '../../../broker/persistence/index.ts'
import { message, storeFolder } from '../persistence/support.ts'
import { startBench } from '../support.ts'

const SIZE = 1_000
const ROW = 128

/** A queue of equal messages. */
function queueOf(
  room: () => StoredRoom,
  name: string,
  log: string[],
): Giving & { add(): void; firm: boolean } {
  let count = 0
  return {
    firm: false,
    get bytes() {
      return count * SIZE
    },
    add() {
      room().make(SIZE)
      count += 1
      room().take(1, SIZE)
    },
    giveWay({ bytes }) {
      const gone = this.firm ? 0 : Math.min(count, Math.ceil(bytes / SIZE))
      count -= gone
      room().take(-gone, -gone * SIZE)
      log.push(`${name} ${gone}`)
      return { count: gone, bytes: gone * SIZE }
    },
  }
}

test('where all queues together are full, the fullest gives up its oldest, and others where it has nothing to give', () => {
  const log: string[] = []
  const room = new StoredRoom(10 * (SIZE + ROW), () => [small, large])
  const small = queueOf(() => room, 'small', log)
  const large = queueOf(() => room, 'large', log)
  for (let n = 0; n < 2; n += 1) small.add()
  for (let n = 0; n < 8; n += 1) large.add()
  expect(log).toEqual([])
  small.add()
  expect(log).toEqual(['large 2'])
  small.add()
  expect(log.splice(0)).toEqual(['large 2'])
  large.firm = true
  small.add()
  expect(log.splice(0)).toEqual(['large 0', 'small 2'])
})

test('where nothing can be given up, not each message looks for it', () => {
  const log: string[] = []
  const room = new StoredRoom(100 * (SIZE + ROW), () => [queue])
  const queue = queueOf(() => room, 'queue', log)
  queue.firm = true
  for (let n = 0; n < 110; n += 1) queue.add()
  expect(log.length).toBeLessThanOrEqual(6)
  queue.firm = false
  queue.add()
  queue.add()
  queue.add()
  expect(room.bytes).toBeLessThanOrEqual(100 * (SIZE + ROW))
})

test('of a store in memory all queues take no more than their part, and each reader finds its newest', async () => {
  const bench = await startBench(
    { publish: ['ana #'], subscribe: ['ana #'], receive: ['ana #'] },
    { limits: { memoryBytes: 2 * 1024 ** 3, offlineTotalBytes: 512 * 1024 } },
  )
  onTestFinished(() => bench.stop())
  for (const clientId of ['flooded', 'quiet']) {
    const reader = await bench.client({ clientId, username: 'ana', clean: false })
    await reader.mqtt.subscribeAsync(clientId, { qos: 1 })
    await reader.mqtt.endAsync()
  }
  const writer = await bench.client({ clientId: 'writer', username: 'ana' })
  for (let n = 1; n <= 100; n += 1) await writer.mqtt.publishAsync('flooded', 'x'.repeat(10_000), { qos: 1 })
  await writer.mqtt.publishAsync('quiet', 'one', { qos: 1 })
  const dropped = bench.broker.stats().dropped
  expect(dropped).toBeGreaterThan(40)
  expect(dropped).toBeLessThan(60)
  const quiet = await bench.client({ clientId: 'quiet', username: 'ana', clean: false })
  await expect.poll(() => quiet.received).toEqual(['quiet one'])
})

test('what a store in memory holds is known; a file counts for nothing', async () => {
  const inMemory = openBrokerStorage(':memory:', { onDamage: () => undefined })
  const inFile = openBrokerStorage(storeFolder(), { onDamage: () => undefined })
  for (const storage of [inMemory, inFile]) {
    const store = new SqliteMessageStore(storage)
    store.load()
    const before = memoryOf(storage.database)
    store.openSession('c', 'ana')
    const large = message('t', 'x'.repeat(1_000_000))
    store.enqueue(large, [{ clientId: 'c', seq: 1, qos: 1 }])
    await store.committed()
    const grown = memoryOf(storage.database) - before
    if (storage === inMemory) expect(grown).toBeGreaterThan(900_000)
    else expect(grown).toBe(0)
    store.acknowledge('c', 1)
    await store.committed()
    expect(memoryOf(storage.database) - before).toBeLessThan(100_000)
    storage.close()
  }
})
