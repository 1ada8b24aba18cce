import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { markSuspect } from '../../../agent/storage/database.ts'
import type { Store } from '../../../agent/storage/index.ts'
import { decodeUsageBatch } from '../../../cloud-sync/codec/index.ts'
import { ownedReading, StoppedClock, temporaryFolder, testStore } from '../../support/store.ts'

let place: ReturnType<typeof temporaryFolder>
let clock: StoppedClock
let store: Store
beforeEach(() => {
  place = temporaryFolder()
  clock = new StoppedClock()
  store = testStore(place.folder, { clock })
})
afterEach(async () => {
  await store.stop()
  place.remove()
})

/** Where a table begins. */
const rootOf = (table: string): number =>
  store.database.prepare('SELECT rootpage FROM sqlite_master WHERE name = ?').pluck().get(table) as number

/** Overwrites these pages (numbered from 1), or everything but the first. */
function damage(pages?: readonly number[]): void {
  const path = join(place.folder, 'gateway.db')
  const bytes = readFileSync(path)
  for (let page = 2; page * 4096 <= bytes.length; page += 1) {
    if (pages === undefined || pages.includes(page)) bytes.fill(0xee, (page - 1) * 4096, page * 4096)
  }
  writeFileSync(path, bytes)
  markSuspect(place.folder, 'test')
}
const counted = (): bigint | undefined =>
  store.reader.usage().findLast(({ meter }) => meter === 'sensor.readings')?.end

async function threeReadingsOneConfirmed(): Promise<void> {
  await store.take([ownedReading(store, { value: 'marked in the window' })])
  clock.pass(3_600_000)
  await store.take([])
  await store.take([ownedReading(store)])
  const batch = await store.outbox.next('usage', 0)
  const [record] = decodeUsageBatch(batch?.body ?? new Uint8Array()).records
  if (record === undefined) throw new Error('no record')
  const { epoch } = record.record
  await store.outbox.acknowledge('usage', { epoch, upTo: 1, hash: record.hash, status: 'ok', serverTime: 1 })
  await store.take([ownedReading(store)])
}

test('usage that the ledger does not have yet is saved from a damaged file and issued again in a new epoch', async () => {
  await threeReadingsOneConfirmed()
  const old = store.outbox.streams().usage
  const pages = [rootOf('window')]
  await store.stop()
  damage(pages)
  store = testStore(place.folder, { clock })
  expect(store.reader.events(1)[0]).toMatchObject({
    kind: 'store_damaged',
    detail: { usage: true, policy: true },
  })
  await store.recordEvent('anything', {})
  expect(store.outbox.streams().usage).toMatchObject({ parent: old?.epoch, next: 3 })
  const [batch] = [await store.outbox.next('usage', 0)]
  const [again] = decodeUsageBatch(batch?.body ?? new Uint8Array()).records
  const readings = again?.record.registers.find(({ meter }) => meter === 'sensor.readings')
  // Of three counted readings the ledger had confirmed one.
  expect(readings).toMatchObject({ end: 2n })
  expect(readings?.gen).toBeGreaterThan(0)
  // Channels keep their numbers, readings go on under new windows.
  await store.take([ownedReading(store, { value: 9 })])
  expect(store.reader.readings({ channels: [1], from: 0, to: Date.UTC(2027, 0) })).toHaveLength(1)
  expect(counted()).toBe(3n)
})

test('usage records that are not what their hashes say are not billed', async () => {
  await threeReadingsOneConfirmed()
  const pages = [rootOf('window')]
  store.database.prepare(`UPDATE usage_record SET hash = 'x' WHERE seq = 1`).run()
  await store.stop()
  damage(pages)
  store = testStore(place.folder, { clock })
  expect(store.reader.events(1)[0]).toMatchObject({ detail: { usage: false, channels: true } })
  expect(store.reader.usage()).toEqual([])
})

test('a file of which nothing can be read is kept, and everything begins anew', async () => {
  await threeReadingsOneConfirmed()
  await store.stop()
  damage()
  const damaged = readFileSync(join(place.folder, 'gateway.db'))
  store = testStore(place.folder, { clock })
  expect(readFileSync(join(place.folder, 'damaged-1.db')).equals(damaged)).toBe(true)
  expect(store.reader.events(1)[0]).toMatchObject({
    kind: 'store_damaged',
    detail: { keptAs: 'damaged-1.db', usage: false, policy: false, channels: false },
  })
  expect(store.outbox.streams().usage).toMatchObject({ next: 1, parent: null })
  await store.take([ownedReading(store)])
  expect(counted()).toBe(1n)
})
