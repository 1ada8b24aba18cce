import { expect, test } from 'vitest'
import { entry, message, openStore, storeFolder } from './support.ts'

const DAY_MS = 86_400_000

test('a queue ages while the broker runs, over restarts, and by no clock', async () => {
  const folder = storeFolder()
  const run = async (hours: number): Promise<{ early: number; late: number }> => {
    let mono = 77
    const { store, storage } = openStore(folder, { monoMs: () => mono })
    store.openSession('reader', 'owner')
    if (store.page('reader', 0, 1).length === 0)
      store.enqueue(message('site'), [{ clientId: 'reader', seq: 1, qos: 1 }])
    await store.committed()
    const early = store.expire(3 * DAY_MS).size
    mono += hours * 3_600_000
    const late = store.expire(3 * DAY_MS).size
    storage.close()
    return { early, late }
  }
  expect(await run(40)).toEqual({ early: 0, late: 0 })
  expect(await run(0)).toEqual({ early: 0, late: 0 })
  expect(await run(31)).toEqual({ early: 0, late: 0 })
  expect(await run(2)).toEqual({ early: 0, late: 1 })
})

test('retained topics stop at their bound, however many are tried', async () => {
  const { store } = openStore(':memory:', { retained: { topics: 1000, bytes: 1024 * 1024 } })
  let kept = 0
  for (let at = 0; at < 20_000; at += 1) {
    if (store.retain(message(`topic/${at}`, 'x'.repeat(200), { retain: true }))) kept += 1
    if (at % 500 === 0) await store.committed()
  }
  expect(kept).toBe(1000)
  expect(store.figures).toMatchObject({ retainedTopics: 1000, retainedBytes: 200_000 })
})

test('a long list of retained messages lets others have their turn', async () => {
  const { store } = openStore(':memory:')
  for (let at = 0; at < 3000; at += 1) store.retain(message(`site/${at}/value`, 'x', { retain: true }))
  await store.committed()
  let turns = 0
  let done = false
  const count = (): void => {
    turns += 1
    if (!done) setImmediate(count)
  }
  setImmediate(count)
  let found = 0
  for await (const { topic } of store.retained(['site/+/nothing', '+/7/#']))
    found += topic === 'site/7/value' ? 1 : 0
  done = true
  expect(found).toBe(1)
  expect(turns).toBeGreaterThan(5)
})

test('the journal keeps what may be repeated, and no more than its bound', async () => {
  const folder = storeFolder()
  const { store, storage } = openStore(folder)
  const entries = Array.from({ length: 40 }, (_, at) => ({
    ...message('site', `${at}`.padEnd(100_000, 'x')),
    clientId: 'meter',
    principalId: 'owner',
    messageId: at + 1,
  }))
  for (const each of entries) {
    store.journal(each)
    await store.committed()
    store.routed()
  }
  await store.committed()
  const held = (): number[] =>
    entries.filter((each) => store.holdsPublish(each)).map(({ messageId }) => messageId)
  expect(held()).toEqual(entries.slice(-2).map(({ messageId }) => messageId))
  const rows = storage.database.prepare('SELECT count(*) FROM broker_journal').pluck().get()
  expect(rows).toBe(2)
  storage.close()
  const again = openStore(folder)
  expect(entries.filter((each) => again.store.holdsPublish(each))).toHaveLength(2)
  expect([...again.store.unrouted()]).toEqual([])
})

test('a journalled message that is larger than the bound is known until the next one', async () => {
  const { store } = openStore(storeFolder())
  const large = { ...entry('meter', 1, 'site'), payload: Buffer.alloc(400_000, 'x') }
  store.journal(large)
  await store.committed()
  expect(store.holdsPublish(large)).toBe(true)
  store.routed()
  store.journal(entry('meter', 2, 'site'))
  await store.committed()
  expect([store.holdsPublish(large), store.holdsPublish(entry('meter', 2, 'site'))]).toEqual([false, true])
})

test('one page of a queue holds few large messages, and all come', async () => {
  const { store } = openStore(':memory:')
  store.openSession('reader', 'owner')
  for (let seq = 1; seq <= 20; seq += 1)
    store.enqueue(message('site', 'x'.repeat(100_000)), [{ clientId: 'reader', seq, qos: 1 }])
  await store.committed()
  const pages: number[] = []
  for (let after = 0; ; ) {
    const page = store.page('reader', after, 100)
    const last = page.at(-1)
    if (last === undefined) break
    pages.push(page.length)
    after = last.seq
  }
  expect(pages.every((length) => length <= 3)).toBe(true)
  expect(pages.reduce((sum, length) => sum + length, 0)).toBe(20)
})
