import { describe, expect, test } from 'vitest'
import type { QueuedMessage } from '../../../broker/persistence/message-store.ts'
import type { SqliteMessageStore } from '../../../broker/persistence/sqlite-store.ts'
import { entry, listOf, message, openStore, storeFolder } from './support.ts'

const places = [
  ['in a file', storeFolder],
  ['in memory', () => ':memory:'],
] as const

describe.each(places)('a message store %s', (_name, place) => {
  const fresh = (): SqliteMessageStore => openStore(place()).store
  const seqs = (rows: readonly QueuedMessage[]): number[] => rows.map(({ seq }) => seq)

  test('gives out what is queued once it is committed, in order, until it is acknowledged', async () => {
    const store = fresh()
    store.openSession('reader', 'owner')
    for (const seq of [1, 2, 3]) store.enqueue(message(`site/${seq}`), [{ clientId: 'reader', seq, qos: 1 }])
    expect(store.page('reader', 0, 10)).toEqual([])
    await store.committed()
    expect(store.page('reader', 0, 10)).toEqual(
      [1, 2, 3].map((seq) => ({ ...message(`site/${seq}`), seq, released: false })),
    )
    expect(seqs(store.page('reader', 1, 1))).toEqual([2])
    store.acknowledge('reader', 2)
    expect(seqs(store.page('reader', 0, 10))).toEqual([1, 3])
    await store.committed()
    expect(seqs(store.page('reader', 0, 10))).toEqual([1, 3])
    expect(store.figures.queueRows).toBe(2)
  })

  test('removes a row that is acknowledged before its commit', async () => {
    const store = fresh()
    store.openSession('reader', 'owner')
    store.enqueue(message('a'), [{ clientId: 'reader', seq: 1, qos: 1 }])
    store.acknowledge('reader', 1)
    store.enqueue(message('a'), [{ clientId: 'reader', seq: 2, qos: 1 }])
    store.acknowledge('reader', 2)
    await store.committed()
    expect(store.page('reader', 0, 10)).toEqual([])
    expect(store.figures.queueRows).toBe(0)
  })

  test('keeps a message of several queues until the last one has let go of it', async () => {
    const { store, storage } = openStore(place())
    const messages = (): unknown =>
      storage.database.prepare('SELECT count(*) FROM broker_message').pluck().get()
    for (const clientId of ['a', 'b', 'c']) store.openSession(clientId, 'owner')
    store.enqueue(
      message('site', 'shared'),
      ['a', 'b', 'c'].map((clientId) => ({ clientId, seq: 1, qos: 2 as const })),
    )
    await store.committed()
    expect(messages()).toBe(1)
    store.acknowledge('a', 1)
    store.dropSession('b')
    await store.committed()
    expect(store.page('c', 0, 10)).toMatchObject([{ topic: 'site', payload: Buffer.from('shared'), qos: 2 }])
    store.acknowledge('c', 1)
    await store.committed()
    expect(messages()).toBe(0)
  })

  test('remembers that PUBREC came, noted or committed', async () => {
    const store = fresh()
    store.openSession('reader', 'owner')
    store.enqueue(message('a'), [{ clientId: 'reader', seq: 1, qos: 2 }])
    await store.committed()
    store.release('reader', 1)
    expect(store.page('reader', 0, 10)).toMatchObject([{ seq: 1, released: true }])
    await store.committed()
    expect(store.page('reader', 0, 10)).toMatchObject([{ seq: 1, released: true }])
  })

  test('sheds the oldest, but nothing in flight and no PUBREL', async () => {
    const store = fresh()
    store.openSession('slow', 'owner')
    for (const seq of [1, 2, 3, 4, 5, 6]) store.enqueue(message('a'), [{ clientId: 'slow', seq, qos: 2 }])
    await store.committed()
    store.release('slow', 3)
    store.acknowledge('slow', 4)
    expect(store.shed('slow', 1, { count: 3, bytes: 0 })).toEqual({ count: 3, bytes: 6 })
    expect(seqs(store.page('slow', 0, 10))).toEqual([1, 3])
    await store.committed()
    expect(seqs(store.page('slow', 0, 10))).toEqual([1, 3])
    expect(store.shed('slow', 3, { count: 10, bytes: 0 })).toEqual({ count: 0, bytes: 0 })
  })

  test('drops a session with everything it had, and nothing of another', async () => {
    const store = fresh()
    for (const clientId of ['a', 'ab']) {
      store.openSession(clientId, 'owner')
      store.putSubscription(clientId, { topic: 'x/#', qos: 1 })
      store.enqueue(message('x/1'), [{ clientId, seq: 1, qos: 1 }])
      store.holdIncoming(clientId, 7)
    }
    await store.committed()
    store.dropSession('a')
    expect(store.page('a', 0, 10)).toEqual([])
    expect(store.holdsIncoming('a', 7)).toBe(false)
    store.openSession('a', 'owner')
    await store.committed()
    expect(store.page('a', 0, 10)).toEqual([])
    expect(seqs(store.page('ab', 0, 10))).toEqual([1])
    expect(store.holdsIncoming('ab', 7)).toBe(true)
  })

  test('never lets a principal inherit the session of another', async () => {
    const store = fresh()
    store.openSession('tablet', 'hers')
    store.enqueue(message('secret'), [{ clientId: 'tablet', seq: 1, qos: 1 }])
    await store.committed()
    store.openSession('tablet', 'his')
    expect(store.page('tablet', 0, 10)).toEqual([])
  })

  test('expires by counted running time, and leaves what is in flight', async () => {
    let mono = 5000
    const { store } = openStore(place(), { monoMs: () => mono })
    store.openSession('away', 'owner')
    store.openSession('here', 'owner')
    const enqueue = (seq: number): void => {
      store.enqueue(message('a', 'four'), [
        { clientId: 'away', seq, qos: 1 },
        { clientId: 'here', seq, qos: 1 },
      ])
    }
    enqueue(1)
    mono += 60_000
    enqueue(2)
    await store.committed()
    mono += 30_000
    const keepUpTo = (clientId: string): number => (clientId === 'here' ? 1 : 0)
    expect(store.expire(100_000, keepUpTo)).toEqual(new Map())
    expect(store.expire(60_000, keepUpTo)).toEqual(new Map([['away', { count: 1, bytes: 5 }]]))
    expect(store.expire(60_000, keepUpTo)).toEqual(new Map())
    await store.committed()
    expect(seqs(store.page('away', 0, 10))).toEqual([2])
    expect(seqs(store.page('here', 0, 10))).toEqual([1, 2])
  })

  test('knows a repeated PUBLISH by client, identifier and content, also before its commit', async () => {
    const store = fresh()
    store.journal(entry('meter', 1, 'site/a', 'old'))
    expect(store.holdsPublish(entry('meter', 1, 'site/a', 'old'))).toBe(true)
    await store.committed()
    store.journal(entry('meter', 2, 'site/b'))
    await store.committed()
    const cases = [
      [entry('meter', 1, 'site/a', 'old'), true],
      [entry('meter', 1, 'site/a', 'new'), false],
      [entry('meter', 1, 'site/b', 'old'), false],
      [entry('meter', 3, 'site/a', 'old'), false],
      [entry('other', 1, 'site/a', 'old'), false],
      [entry('meter', 2, 'site/b'), true],
    ] as const
    for (const [repeated, held] of cases) expect(store.holdsPublish(repeated)).toBe(held)
    // The identifier was used again: the older message is done.
    store.journal(entry('meter', 1, 'site/a', 'new'))
    expect(store.holdsPublish(entry('meter', 1, 'site/a', 'old'))).toBe(false)
  })

  test('offers every journalled message until it is told that it was routed', async () => {
    const store = fresh()
    const first = store.journal(entry('meter', 1, 'a'))
    await store.committed()
    const second = store.journal(entry('meter', 2, 'b'))
    expect([...store.unrouted()].map(({ topic }) => topic)).toEqual(['a'])
    await store.committed()
    expect(second).toBeGreaterThan(first)
    expect([...store.unrouted()]).toEqual([entry('meter', 1, 'a'), entry('meter', 2, 'b')])
    store.routed(first)
    expect([...store.unrouted()].map(({ topic }) => topic)).toEqual(['b'])
    store.routed()
    expect([...store.unrouted()]).toEqual([])
  })

  test('retains the newest message of a topic; an empty one deletes it', async () => {
    const store = fresh()
    store.retain(message('a', 'old', { retain: true }))
    store.retain(message('a', 'new', { retain: true, qos: 2 }))
    store.retain(message('b', 'gone', { retain: true }))
    await store.committed()
    store.retain(message('b', '', { retain: true }))
    await store.committed()
    expect(await listOf(store.retained(['#']))).toEqual([message('a', 'new', { retain: true, qos: 2 })])
    expect(store.figures).toMatchObject({ retainedTopics: 1, retainedBytes: 3 })
  })

  test('leaves out of a list what changes after it was asked for', async () => {
    const store = fresh()
    for (const topic of ['a', 'b', 'c', 'd', 'e']) store.retain(message(topic, 'old', { retain: true }))
    await store.committed()
    store.retain(message('e', 'noted before', { retain: true }))
    const list = store.retained(['+'])
    store.retain(message('a', 'committed after', { retain: true }))
    store.retain(message('new', 'added after', { retain: true }))
    await store.committed()
    const topics: string[] = []
    for await (const { topic, payload } of list) {
      expect(payload.toString()).toBe('old')
      topics.push(topic)
      if (topic === 'b') store.retain(message('c', 'noted while', { retain: true }))
    }
    expect(topics).toEqual(['b', 'd'])
  })

  test('finds retained messages by every kind of filter, once each, in order', async () => {
    const store = fresh()
    const topics = [
      'a',
      'a/',
      'a/b',
      'a/b/c',
      'a/ö',
      'a0',
      'a.b',
      'ab',
      'b/b',
      '$SYS/x',
      '/',
      '/b',
      'ä/b',
      '\u{1f300}/b',
    ]
    for (const topic of topics) store.retain(message(topic, 'x', { retain: true }))
    await store.committed()
    const found = async (...filters: string[]): Promise<string[]> =>
      (await listOf(store.retained(filters))).map(({ topic }) => topic)
    const sorted = (list: string[]): string[] =>
      list.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(await found('a/#')).toEqual(['a', 'a/', 'a/b', 'a/b/c', 'a/ö'])
    expect(await found('a/+')).toEqual(['a/', 'a/b', 'a/ö'])
    expect(await found('a')).toEqual(['a'])
    expect(await found('a/b', 'a/#', 'a/b', '+/b')).toEqual(
      sorted(['a', 'a/', 'a/b', 'a/b/c', 'a/ö', 'b/b', '/b', 'ä/b', '\u{1f300}/b']),
    )
    expect(await found('#')).toEqual(sorted(topics.filter((topic) => !topic.startsWith('$'))))
    expect(await found('$SYS/#')).toEqual(['$SYS/x'])
    expect(await found('nothing', '/+')).toEqual(['/', '/b'])
  })

  test('meets its bounds of retained topics and bytes, and tells', async () => {
    const { store } = openStore(place(), { retained: { topics: 3, bytes: 10 } })
    const retain = (topic: string, payload: string): boolean =>
      store.retain(message(topic, payload, { retain: true }))
    expect([retain('a', '123'), retain('b', '123'), retain('c', '1234')]).toEqual([true, true, true])
    expect(retain('a', '1234')).toBe(false)
    expect(retain('d', '1')).toBe(false)
    await store.committed()
    expect(retain('d', '1')).toBe(false)
    expect(retain('a', '')).toBe(true)
    expect(retain('d', '1')).toBe(true)
    await store.committed()
    expect(store.figures).toMatchObject({ retainedTopics: 3, retainedBytes: 8 })
  })

  test('drops the retained messages of a revoked owner, noted or committed', async () => {
    const store = fresh()
    for (const topic of ['his/1', 'hers/1', 'his/2']) store.retain(message(topic, 'x', { retain: true }))
    await store.committed()
    store.retain(message('his/3', 'x', { retain: true }))
    store.retain(message('his/2', 'y', { retain: true }))
    expect(store.dropRetained((topic) => topic.startsWith('his/'))).toBe(3)
    await store.committed()
    expect((await listOf(store.retained(['#']))).map(({ topic }) => topic)).toEqual(['hers/1'])
    expect(store.figures).toMatchObject({ retainedTopics: 1, retainedBytes: 1 })
  })

  test('keeps wills until they are taken back', async () => {
    const store = fresh()
    store.putWill('a', message('a/gone', 'bye', { qos: 2, retain: true }))
    store.putWill('b', message('b/gone'))
    await store.committed()
    store.dropWill('b')
    expect(store.wills()).toEqual([{ ...message('a/gone', 'bye', { qos: 2, retain: true }), clientId: 'a' }])
  })
})

test('everything committed is there after a restart', async () => {
  const folder = storeFolder()
  const first = openStore(folder)
  first.store.openSession('reader', 'owner')
  first.store.putSubscription('reader', { topic: 'site/#', qos: 1 })
  first.store.putSubscription('reader', { topic: 'gone', qos: 0 })
  first.store.dropSubscription('reader', 'gone')
  for (const seq of [1, 2, 3])
    first.store.enqueue(message('site/a', 'four'), [{ clientId: 'reader', seq, qos: 1 }])
  // While connected any row may be sent; afterwards it is known which were.
  first.store.noteSent('reader', Number.MAX_SAFE_INTEGER)
  await first.store.committed()
  first.store.noteSent('reader', 2)
  first.store.noteMetered('reader', 1)
  first.store.holdIncoming('reader', 9, 'kept with it')
  first.store.holdIncoming('passer-by', 9)
  first.store.putWill('reader', message('will'))
  first.store.journal(entry('meter', 4, 'site/a', 'four'))
  first.store.retain(message('site/a', 'four', { retain: true }))
  await first.store.committed()
  first.store.acknowledge('reader', 1)
  first.storage.close()

  const { store, sessions } = openStore(folder)
  expect(sessions).toEqual([
    {
      clientId: 'reader',
      principalId: 'owner',
      filters: [{ topic: 'site/#', qos: 1 }],
      ...{ last: 3, sent: 2, metered: 1, count: 2, bytes: 20 },
    },
  ])
  expect(store.page('reader', 0, 10).map(({ seq }) => seq)).toEqual([2, 3])
  expect(store.incomingExtra('reader', 9)).toBe('kept with it')
  expect(store.holdsIncoming('passer-by', 9)).toBe(false)
  expect(store.wills()).toHaveLength(1)
  expect([...store.unrouted()]).toEqual([entry('meter', 4, 'site/a', 'four')])
  expect(store.holdsPublish(entry('meter', 4, 'site/a', 'four'))).toBe(true)
  expect(await listOf(store.retained(['#']))).toHaveLength(1)
  expect(store.figures).toMatchObject({ queueRows: 2, retainedTopics: 1, retainedBytes: 4, skippedRows: 0 })
})
