import Database from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import { SqliteMessageStore } from '../../../broker/persistence/sqlite-store.ts'
import { ManualWriter } from './manual-writer.ts'
import { entry, listOf, message } from './support.ts'

/** A store whose writer serves another participant before it: after commit number `at`, `then` runs first. */
function storeBeside(
  then: (store: SqliteMessageStore) => void,
  at = 1,
): { store: SqliteMessageStore; writer: ManualWriter } {
  const database = new Database(':memory:')
  onTestFinished(() => {
    database.close()
  })
  const writer = new ManualWriter(database)
  let commits = 0
  writer.join({
    name: 'neighbour',
    write: () => () => {
      commits += 1
      if (commits === at) then(store)
    },
  })
  const store = new SqliteMessageStore({ database, writer })
  store.load()
  return { store, writer }
}

test('what is noted while a commit is being settled is in the next one', async () => {
  const { store, writer } = storeBeside((late) => {
    late.retain(message('site', 'second', { retain: true }))
    late.retain(message('gone', '', { retain: true }))
    late.enqueue(message('site', 'second'), [{ clientId: 'reader', seq: 2, qos: 1 }])
    late.acknowledge('reader', 1)
    late.noteSent('reader', 2)
    late.journal(entry('meter', 2, 'site', 'second'))
  })
  store.openSession('reader', 'owner')
  store.retain(message('site', 'first', { retain: true }))
  store.retain(message('gone', 'first', { retain: true }))
  store.enqueue(message('site', 'first'), [{ clientId: 'reader', seq: 1, qos: 1 }])
  store.journal(entry('meter', 1, 'site', 'first'))
  writer.commit()
  expect(store.page('reader', 0, 10)).toEqual([])
  writer.commit()
  expect(store.page('reader', 0, 10).map(({ seq }) => seq)).toEqual([2])
  expect(await listOf(store.retained(['#']))).toEqual([message('site', 'second', { retain: true })])
  expect([...store.unrouted()].map(({ messageId }) => messageId)).toEqual([1, 2])
  expect(store.figures).toMatchObject({ retainedTopics: 1, queueRows: 1, waiting: 0 })
})

test('an acknowledgement that comes then does not ride one that is written already', () => {
  const { store, writer } = storeBeside((late) => {
    late.acknowledge('reader', 2)
  }, 2)
  store.openSession('reader', 'owner')
  for (const seq of [1, 2, 3]) store.enqueue(message('site'), [{ clientId: 'reader', seq, qos: 1 }])
  writer.commit()
  store.acknowledge('reader', 1)
  writer.commit()
  writer.commit()
  expect(store.page('reader', 0, 10).map(({ seq }) => seq)).toEqual([3])
  expect(store.figures).toMatchObject({ queueRows: 1, waiting: 0 })
})

test('who waits for a commit is told by the commit that holds all it noted, and one work serves all who wait', async () => {
  const { store, writer } = storeBeside(() => undefined)
  const told: string[] = []
  const wait = (name: string): Promise<void> => store.committed().then(() => void told.push(name))
  store.journal(entry('meter', 1, 'site'))
  const first = [wait('first'), wait('also first')]
  expect(store.committed()).toBe(store.committed())
  writer.commit({ fails: true })
  store.journal(entry('meter', 2, 'site'))
  const second = wait('second')
  await Promise.resolve()
  expect(told).toEqual([])
  writer.commit()
  await Promise.all([...first, second])
  expect(told).toHaveLength(3)
  store.journal(entry('meter', 3, 'site'))
  const third = wait('third')
  await Promise.resolve()
  expect(told).toHaveLength(3)
  writer.commit()
  await third
  expect([...store.unrouted()].map(({ messageId }) => messageId)).toEqual([1, 2, 3])
})
