import { spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openBrokerStorage } from '../../../broker/persistence/open.ts'
import { SqliteMessageStore } from '../../../broker/persistence/sqlite-store.ts'
import { testStore } from '../../support/store.ts'
import { entry, listOf, message, openStore, storeFolder } from './support.ts'

const CHILD = join(import.meta.dirname, '../../support/broker-store-child.ts')
const ignore = { onDamage: (): void => undefined }

describe('opening', () => {
  test('keeps everybody else out of the folder and the files', () => {
    const folder = join(storeFolder(), 'made')
    const { storage } = openStore(folder)
    const mode = (path: string): number => statSync(path).mode & 0o777
    expect(mode(folder)).toBe(0o700)
    for (const file of ['broker.db', 'broker.db-wal'])
      expect([file, mode(join(folder, file))]).toEqual([file, 0o600])
    expect(() => openBrokerStorage(folder, ignore)).toThrow(
      expect.objectContaining({ code: 'BROKER_STORE_LOCKED' }),
    )
    storage.close()
    openBrokerStorage(folder, ignore).close()
  })

  test('makes every commit durable', () => {
    const { storage } = openStore(storeFolder())
    const pragma = (name: string): unknown => storage.database.pragma(name, { simple: true })
    expect([pragma('journal_mode'), pragma('synchronous'), pragma('page_size')]).toEqual(['wal', 2, 4096])
  })

  test('refuses the tables of a newer program, and writes nothing', () => {
    const folder = storeFolder()
    const first = openStore(folder)
    first.storage.database.prepare(`UPDATE broker_meta SET value = 99 WHERE key = 'schema'`).run()
    first.storage.close()
    const before = readFileSync(join(folder, 'broker.db'))
    expect(() => openBrokerStorage(folder, ignore)).toThrow(
      expect.objectContaining({ code: 'BROKER_STORE_NEWER' }),
    )
    expect(readFileSync(join(folder, 'broker.db')).equals(before)).toBe(true)
  })

  const damages: [string, (path: string) => void][] = [
    [
      'is no database',
      (path) => {
        writeFileSync(path, 'not a database, but long enough to look like one '.repeat(100))
      },
    ],
    [
      'has pages of other bytes',
      (path) => {
        const file = openSync(path, 'r+')
        for (let page = 2; page < 12; page += 1)
          writeSync(file, Buffer.alloc(4000, 0xa5), 0, 4000, page * 4096)
      },
    ],
  ]
  test.for(damages)('sets a file aside that %s, and begins a new one', ([, damage]) => {
    const folder = storeFolder()
    const first = openStore(folder)
    first.store.openSession('reader', 'owner')
    first.storage.close()
    damage(join(folder, 'broker.db'))
    const { storage, sessions } = openStore(folder)
    expect(sessions).toEqual([])
    expect(storage.damaged).toBe('damaged-1.db')
    expect(existsSync(join(folder, 'damaged-1.db'))).toBe(true)
  })

  test('tells what else is wrong with the folder', () => {
    const folder = storeFolder()
    mkdirSync(join(folder, 'broker.db'))
    expect(() => openBrokerStorage(folder, ignore)).toThrow()
    expect(readdirSync(folder)).toContain('broker.db')
  })
})

test('a gateway database takes the broker beside its own tables, in its own commits', async () => {
  const folder = storeFolder()
  const gateway = testStore(folder)
  onTestFinished(() => gateway.stop())
  const store = new SqliteMessageStore(gateway)
  expect(store.load()).toEqual([])
  store.openSession('reader', 'owner')
  store.enqueue(message('site/a'), [{ clientId: 'reader', seq: 1, qos: 1 }])
  store.journal(entry('meter', 1, 'site/a'))
  const commits = gateway.writer.commits
  const [stored] = await Promise.all([store.committed(), gateway.recordEvent('test', {})])
  expect(stored).toBeUndefined()
  expect(gateway.writer.commits).toBe(commits + 1)
  await gateway.stop()
  const again = testStore(folder)
  onTestFinished(() => again.stop())
  expect(new SqliteMessageStore(again).load()).toMatchObject([{ clientId: 'reader', last: 1, count: 1 }])
})

describe('killed with SIGKILL', () => {
  const cases = [
    ['within a transaction', 'within', 1],
    ['within a later transaction', 'within', 4],
    ['after a commit, before anybody is told', 'after', 3],
  ] as const
  test.for(cases)('%s, a store has what it said and nothing by halves', async ([, where, commit]) => {
    const folder = storeFolder()
    let said = 0
    for (let round = 0; round < 2; round += 1) {
      const child = spawn(process.execPath, [CHILD, folder, String(said + 1), where, String(commit)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const ended = new Promise((resolve) =>
        child.once('close', (_code, signal) => {
          resolve(signal)
        }),
      )
      const output = await text(child.stdout)
      expect(await ended).toBe('SIGKILL')
      const saidNow = Number(/stored (\d+)\n$/.exec(output)?.[1] ?? said)
      said = Math.max(said, saidNow)
      const { store, storage, sessions } = openStore(folder)
      const queued: number[] = []
      for (let after = 0; ; ) {
        const page = store.page('reader', after, 100)
        queued.push(...page.map(({ payload }) => Number(payload.toString())))
        const last = page.at(-1)
        if (last === undefined) break
        after = last.seq
      }
      // A commit that nobody was told of is there whole or not at all.
      const stored = where === 'after' ? said + 10 : said
      expect(new Set(queued)).toEqual(new Set(Array.from({ length: stored }, (_, at) => at + 1)))
      expect(sessions.map(({ last }) => last)).toEqual(stored === 0 ? [] : [queued.length])
      const journalled = [...store.unrouted()].map(({ payload }) => payload.toString())
      expect(new Set(journalled)).toEqual(new Set(queued.map(String)))
      const [retained] = await listOf(store.retained(['#']))
      expect(retained?.payload.toString()).toBe(stored === 0 ? undefined : String(stored))
      storage.close()
      said = stored
    }
  })
})

test('rows that make no sense are left out and counted, the others are there', async () => {
  const folder = storeFolder()
  const first = openStore(folder)
  for (const clientId of ['good', 'bad']) {
    first.store.openSession(clientId, 'owner')
    first.store.putSubscription(clientId, { topic: 'site/#', qos: 1 })
    first.store.holdIncoming(clientId, 1)
    first.store.putWill(clientId, message('will'))
  }
  for (const seq of [1, 2, 3]) {
    const rows = ['good', 'bad'].map((clientId) => ({ clientId, seq, qos: 1 as const }))
    first.store.enqueue(message(`site/${seq}`), rows)
    first.store.journal(entry('meter', seq, `site/${seq}`))
    await first.store.committed()
  }
  first.store.retain(message('site/good', 'x', { retain: true }))
  first.store.retain(message('site/bad', 'x', { retain: true }))
  await first.store.committed()
  first.storage.database.exec(`
    UPDATE broker_session SET principal = x'00' WHERE client = 'bad';
    UPDATE broker_will SET qos = 77 WHERE client = 'bad';
    UPDATE broker_retained SET payload = 5 WHERE topic = 'site/bad';
    UPDATE broker_queue SET qos = -1 WHERE session = 1 AND seq = 2;
    UPDATE broker_message SET topic = x'ff' WHERE id = 3;
    UPDATE broker_journal SET entries = zeroblob(9) WHERE id = 2;
    INSERT INTO broker_filter VALUES (1, 'site/a', 9, NULL), (99, 'site/a', 1, NULL);
    INSERT INTO broker_incoming VALUES (1, 'five', '');
    INSERT INTO broker_queue (session, seq, at, bytes, qos, retain, released) VALUES (1, 'x', 0, 0, 1, 0, 0);
    INSERT INTO broker_message VALUES (50, 3, 'site', x'');`)
  first.storage.close()

  const { store, storage, sessions } = openStore(folder)
  expect(sessions).toMatchObject([{ clientId: 'good', filters: [{ topic: 'site/#', qos: 1 }] }])
  expect(store.page('good', 0, 10).map(({ seq }) => seq)).toEqual([1])
  expect(store.holdsIncoming('good', 1)).toBe(true)
  expect(store.wills().map(({ clientId }) => clientId)).toEqual(['good'])
  expect((await listOf(store.retained(['#']))).map(({ topic }) => topic)).toEqual(['site/good'])
  expect([...store.unrouted()].map(({ messageId }) => messageId)).toEqual([1, 3])
  expect(store.figures.skippedRows).toBeGreaterThan(8)
  await store.committed()
  storage.close()
  const clean = openStore(folder)
  expect(clean.store.page('good', 0, 10).map(({ seq }) => seq)).toEqual([1])
  expect(clean.storage.database.prepare('SELECT id FROM broker_message').pluck().all()).toEqual([1])
})
