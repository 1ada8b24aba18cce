import { rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type OrgId, ZERO_HASH } from '../../../cloud-sync/contract/index.ts'
import type { Store } from '../../../agent/storage/index.ts'
import { OWNER, ownedReading, StoppedClock, temporaryFolder, testStore } from '../../support/store.ts'

const LIMITS = { bytes: 400 * 1024, days: 30, ballastBytes: 64 * 1024, reserveBytes: 64 * 1024 }
const HOUR = 3_600_000
const DAY = 24 * HOUR

let place: ReturnType<typeof temporaryFolder>
let clock: StoppedClock
let store: Store
beforeEach(() => {
  place = temporaryFolder()
  clock = new StoppedClock()
})
afterEach(async () => {
  await store.stop()
  place.remove()
})

function open(of: { cloudConfigured?: boolean; bytes?: number } = {}): void {
  const limits = { ...LIMITS, bytes: of.bytes ?? LIMITS.bytes }
  store = testStore(place.folder, { clock, limits, windowMs: 2, cloudConfigured: of.cloudConfigured ?? true })
}
/** Incompressible readings of one hour, packed; half of them a guest's. */
async function anHour(readings: number): Promise<void> {
  const guest = { ...OWNER, org: 'borealis' as OrgId }
  const taken = Array.from({ length: readings }, (_, n) => {
    const owner = n % 2 === 0 ? OWNER : guest
    const device = n % 2 === 0 ? 'tilt' : 'guest'
    return ownedReading(store, { device, owner, value: Math.random(), takenAt: clock.wallMs + n })
  })
  await store.take(taken)
  store.published(Number.MAX_SAFE_INTEGER)
  clock.pass(HOUR)
  await upkeep()
}
async function upkeep(): Promise<void> {
  store.upkeep()
  await store.writer.commitSoon()
}
async function drain(stream: 'rd' | 'rd/h'): Promise<void> {
  for (let after = 0; ; ) {
    const batch = await store.outbox.next(stream, after)
    if (batch === undefined) return
    after = batch.last
  }
}
const runs = (): unknown[] =>
  store.database.prepare('SELECT first, batched FROM pack_run ORDER BY first').raw().all()

test('readings in the cloud expire after their days of trusted time, others wait', async () => {
  open()
  await anHour(10)
  await drain('rd/h')
  await anHour(10)
  clock.pass(40 * 24 * HOUR)
  await upkeep()
  expect(store.reader.dropped()).toEqual({ expired: 10, lost: {} })
  expect(store.reader.counts().readings).toBe(10)
})

test('without trusted time nothing expires by age', async () => {
  clock.clock = 'unsynced'
  open({ cloudConfigured: false })
  await anHour(10)
  clock.pass(400 * 24 * HOUR)
  await upkeep()
  expect(store.reader.counts().readings).toBe(10)
})

test('over its bytes the store drops what is sent first, then the oldest not sent, by owner and with an event', async () => {
  open()
  for (let hour = 0; hour < 12; hour += 1) await anHour(1000)
  await drain('rd/h')
  // Newer and not sent: it stays as long as anything sent is left.
  while (store.reader.dropped().expired === 0) await anHour(500)
  expect(store.reader.dropped().lost).toEqual({})
  expect(runs()[0]).not.toEqual([1, 1])
  while (Object.keys(store.reader.dropped().lost).length === 0) await anHour(2000)
  const { lost } = store.reader.dropped()
  expect(Object.keys(lost).toSorted()).toEqual(['acme', 'borealis'])
  const told = store.reader.events(10).filter(({ kind }) => kind === 'readings_dropped')
  expect(told.map(({ detail }) => detail['org']).toSorted()).toEqual(['acme', 'borealis'])
  expect(store.reader.size().fileBytes).toBeLessThanOrEqual(LIMITS.bytes)
}, 30_000)

test('usage is kept whatever is dropped, and readings stored plus readings dropped are what was counted', async () => {
  open()
  for (let hour = 0; hour < 40; hour += 1) await anHour(2000)
  const { expired, lost } = store.reader.dropped()
  const dropped = expired + Object.values(lost).reduce((sum, count) => sum + count, 0)
  expect(dropped).toBeGreaterThan(0)
  expect(store.reader.counts().readings + dropped).toBe(80_000)
  const counted = store.reader.usage().filter(({ meter }) => meter === 'sensor.readings')
  expect(counted.reduce((sum, { end }) => sum + end, 0n)).toBe(80_000n)
  // One record for each organisation and hour but the one that is still open.
  expect(store.reader.counts().usageRecords).toBeGreaterThanOrEqual(2 * 38)
}, 30_000)

test('without a cloud what is dropped was never owed to anybody: nothing counts as lost', async () => {
  open({ cloudConfigured: false })
  while (store.reader.dropped().expired === 0) await anHour(2000)
  expect(store.reader.dropped().lost).toEqual({})
}, 30_000)

test('the room kept for the worst day is really taken, and taken again after it was needed', async () => {
  open({ bytes: 10 * 1024 * 1024 })
  await upkeep()
  const ballast = join(place.folder, 'ballast')
  expect(statSync(ballast).blocks * 512).toBeGreaterThanOrEqual(LIMITS.ballastBytes)
  rmSync(ballast)
  await upkeep()
  expect(statSync(ballast).size).toBe(LIMITS.ballastBytes)
})

/** One record is in the ledger; answers how many of it are kept. */
async function acknowledged(): Promise<() => unknown> {
  await anHour(2)
  await anHour(2)
  const batch = await store.outbox.next('usage', 0)
  const { epoch = '' } = batch ?? {}
  const hash = store.database.prepare('SELECT hash FROM usage_record WHERE seq = 1').pluck().get() as never
  const ack = { epoch: epoch as never, upTo: 1, hash, status: 'ok', serverTime: 1 } as const
  await store.outbox.acknowledge('usage', ack)
  return () => store.database.prepare('SELECT count(*) FROM usage_record WHERE seq = 1').pluck().get()
}

test('acknowledged usage is kept 90 days', async () => {
  open()
  const kept = await acknowledged()
  clock.pass(89 * DAY)
  await upkeep()
  expect(kept()).toBe(1)
  clock.pass(2 * DAY)
  await upkeep()
  expect(kept()).toBe(0)
})

const NEVER_SET = -Date.UTC(2026, 10, 21)
test.for([
  ['the wall clock was never set when it was confirmed, and is now', NEVER_SET, -NEVER_SET],
  ['the wall clock goes ahead by a year', 0, 365 * DAY],
  ['the wall clock was a year ahead, and is set right', 365 * DAY, -365 * DAY],
] as const)('it is kept so long, and no longer, also where %s', async ([, before, after]) => {
  clock.wallMs += before
  open()
  const kept = await acknowledged()
  clock.wallMs += after
  await upkeep()
  expect(kept()).toBe(1)
  clock.pass(91 * DAY)
  await upkeep()
  expect(kept()).toBe(0)
})

test('what the ledger asks for again is kept as long again, however long ago it was confirmed', async () => {
  open()
  const kept = await acknowledged()
  clock.pass(89 * DAY)
  const epoch = store.outbox.streams().usage?.epoch as never
  const restored = { epoch, upTo: 0, hash: ZERO_HASH, status: 'gap', want: 1, serverTime: 1 } as const
  await store.outbox.acknowledge('usage', restored)
  clock.pass(10 * DAY)
  await upkeep()
  expect(kept()).toBe(1)
})

test('a leftover of another program in the folder is left alone', async () => {
  writeFileSync(join(place.folder, 'notes.txt'), 'mine')
  open()
  await upkeep()
  expect(statSync(join(place.folder, 'notes.txt')).size).toBe(4)
})
