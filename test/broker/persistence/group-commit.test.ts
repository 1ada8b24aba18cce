import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import type { OpenedBrokerStorage } from '../../../broker/persistence/open.ts'
import { testWith } from '../../support/peers.ts'
import { entry, listOf, message, openStore, type OpenStore, storeFolder } from './support.ts'

/** Counts the commits of a writer, and fails those that it is told to. */
function watch(storage: OpenedBrokerStorage): { commits: number; failWith: string | undefined } {
  const watched: { commits: number; failWith: string | undefined } = { commits: 0, failWith: undefined }
  storage.writer.join({
    name: 'watch',
    write: () => {
      if (watched.failWith !== undefined) throw new Database.SqliteError('told to fail', watched.failWith)
      return () => {
        watched.commits += 1
      }
    },
  })
  return watched
}

test('all that arrives in one turn of the event loop shares one commit', async () => {
  const { store, storage } = openStore(storeFolder())
  const watched = watch(storage)
  const waiting = Array.from({ length: 500 }, (_, at) => {
    store.journal(entry('meter', at + 1, 'site'))
    return store.committed()
  })
  await Promise.all(waiting)
  expect(watched.commits).toBe(1)
  expect([...store.unrouted()]).toHaveLength(500)
})

test('what nobody waits for is committed within a window', async () => {
  const { store, storage } = openStore(storeFolder())
  const watched = watch(storage)
  store.retain(message('site', 'x', { retain: true }))
  expect(watched.commits).toBe(0)
  await expect.poll(() => watched.commits, { timeout: 60_000 }).toBe(1)
  expect(await listOf(store.retained(['site']))).toHaveLength(1)
})

test('after an I/O error everything is refused for good, and told once', async () => {
  const { store, storage, told } = openStore(storeFolder())
  const watched = watch(storage)
  watched.failWith = 'SQLITE_IOERR_FSYNC'
  store.journal(entry('meter', 1, 'site'))
  await expect(store.committed()).rejects.toMatchObject({ code: 'BROKER_STORE_FAILED' })
  watched.failWith = undefined
  await expect(store.committed()).rejects.toMatchObject({ code: 'BROKER_STORE_FAILED' })
  expect(told).toMatchObject([{ code: 'SQLITE_IOERR_FSYNC' }])
  expect(watched.commits).toBe(0)
})

test('closing commits what waits, and refuses what comes later', async () => {
  const folder = storeFolder()
  const { store, storage } = openStore(folder)
  store.openSession('reader', 'owner')
  storage.close()
  storage.close()
  await expect(store.committed()).rejects.toMatchObject({ code: 'BROKER_STORE_FAILED' })
  expect(openStore(folder).sessions).toHaveLength(1)
})

/** Stores until the disk takes no more, then gives room: everything must be there, in order, and told then. */
async function overflow(opened: OpenStore, room: () => void): Promise<void> {
  const { store, storage, told } = opened
  store.openSession('reader', 'owner')
  await store.committed()
  let seq = 0
  let committed = 0
  const pending: Promise<void>[] = []
  while (!storage.writer.refused) {
    seq += 1
    const stored = message('site', `${seq} `.padEnd(20_000, 'x'))
    store.journal({ ...stored, clientId: 'meter', principalId: 'owner', messageId: seq })
    store.enqueue(stored, [{ clientId: 'reader', seq, qos: 1 }])
    const upTo = seq
    pending.push(store.committed().then(() => void (committed = upTo)))
    await new Promise((resolve) => setImmediate(resolve))
    expect(seq).toBeLessThan(5000)
  }
  expect(told).toMatchObject([{ code: 'SQLITE_FULL' }])
  const before = committed
  expect(before).toBeLessThan(seq)
  // Still to be read, and nothing is taken back.
  expect(store.page('reader', before - 1, 10).map((row) => row.seq)).toEqual([before])
  store.retain(message('while full', 'x', { retain: true }))
  room()
  await Promise.all(pending)
  expect(storage.writer.refused).toBe(false)
  const queued: number[] = []
  for (let after = 0; after < seq; after = queued.at(-1) ?? seq) {
    const page = store.page('reader', after, 100)
    for (const row of page) expect(row.payload.toString()).toMatch(new RegExp(`^${row.seq} x+$`))
    queued.push(...page.map((row) => row.seq))
  }
  expect(queued).toEqual(Array.from({ length: seq }, (_, at) => at + 1))
  expect([...store.unrouted()].map(({ messageId }) => messageId)).toEqual(queued)
  expect(await listOf(store.retained(['#']))).toHaveLength(1)
}

test('a database that may grow no more loses nothing, and goes on when it may', async () => {
  const opened = openStore(storeFolder())
  const pages = (count: number): unknown => opened.storage.database.pragma(`max_page_count = ${count}`)
  pages(100)
  await overflow(opened, () => pages(1_000_000))
})

testWith('root')('a full disk loses nothing, and goes on when there is room', async () => {
  const mount = storeFolder()
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', mount])
  onTestFinished(() => {
    execFileSync('umount', ['-l', mount])
  })
  const filler = join(mount, 'filler')
  const file = openSync(filler, 'w')
  writeSync(file, Buffer.alloc(2 * 1024 * 1024))
  closeSync(file)
  const folder = join(mount, 'data')
  mkdirSync(folder)
  const opened = openStore(folder)
  await overflow(opened, () => {
    rmSync(filler)
  })
  opened.storage.close()
})
