import { afterEach, beforeEach, expect, test } from 'vitest'
import { decodeRecord, verifyChain, sha256 } from '../../../cloud-sync/codec/index.ts'
import { type Hash, type OrgId, USAGE_QUALITY, ZERO_HASH } from '../../../cloud-sync/contract/index.ts'
import type { Store } from '../../../agent/storage/index.ts'
import { OWNER, ownedReading, StoppedClock, temporaryFolder, testStore } from '../../support/store.ts'

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

async function reopen(): Promise<void> {
  await store.stop()
  store = testStore(place.folder, { clock })
}

function records(): ReturnType<typeof decodeRecord>[] {
  const rows = store.database.prepare('SELECT bytes, hash FROM usage_record ORDER BY seq').all() as {
    bytes: Uint8Array
    hash: Hash
  }[]
  const sealed = rows.map(({ bytes, hash }) => ({ record: decodeRecord(bytes), bytes, hash }))
  expect(verifyChain(sealed, ZERO_HASH).ok).toBe(true)
  expect(sealed.map(({ bytes }) => sha256(bytes))).toEqual(rows.map(({ hash }) => hash))
  return sealed.map(({ record }) => record)
}

const registerEnd = (meter: string): bigint | undefined =>
  store.reader.usage().find((register) => register.meter === meter)?.end

test('readings are stored and counted in one commit, and come back as they were', async () => {
  const taken = [1.5, -2.25, 0.01].map((value, n) => ownedReading(store, { value, takenAt: 1000 + n }))
  const before = store.writer.commits
  await store.take(taken)
  expect(store.writer.commits).toBe(before + 1)
  expect(store.reader.readings({ channels: [1], from: 0, to: 2000 })).toEqual(taken.map((one) => one.reading))
  expect(registerEnd('sensor.readings')).toBe(3n)
  expect(registerEnd('sensor.values')).toBe(3n)
  expect(registerEnd('sensor.payload_bytes')).toBe(12n)
  expect(registerEnd('sensor.active_day')).toBe(1n)
  await reopen()
  expect(store.reader.readings({ channels: [1], from: 0, to: 2000 })).toEqual(taken.map((one) => one.reading))
  expect(registerEnd('sensor.readings')).toBe(3n)
  expect(store.reader.latest().get(1)).toEqual(taken[2]?.reading)
})

test('a stop ends the interval: one record for each organisation, chained', async () => {
  const other = { ...OWNER, org: 'borealis' as OrgId }
  await store.take([ownedReading(store), ownedReading(store, { device: 'guest', owner: other })])
  await reopen()
  expect(records().map(({ org, seq }) => [seq, org])).toEqual([
    [1, 'acme'],
    [2, 'borealis'],
  ])
})

test('an interval that a power cut left open is ended at the start, marked, with the time of the last commit', async () => {
  await store.take([ownedReading(store)])
  clock.pass(20_000)
  await store.take([ownedReading(store)])
  // As after a cut: the file as it is, without the stop's commit.
  const started = clock.wallMs - 20_000
  store.database.close()
  store.parts.lock.release()
  clock.pass(3_600_000)
  clock.bootId = 'boot-2'
  store = testStore(place.folder, { clock })
  const [record] = records()
  expect(record).toMatchObject({ bootId: 'boot-1', time: { wallStart: started, wallEnd: started + 20_000 } })
  expect(record?.time).toMatchObject({ monoStart: 1_000_000, monoEnd: 1_020_000, day: '2026-11-21' })
  expect(record?.registers.every(({ q }) => q === 1 << USAGE_QUALITY.POWER_FAIL)).toBe(true)
  expect(record?.registers.find(({ meter }) => meter === 'sensor.readings')?.end).toBe(2n)
})

test('an interval ends by the monotonic clock, whatever the wall clock does', async () => {
  await store.take([ownedReading(store)])
  clock.wallMs += 10 * 3_600_000
  await store.take([ownedReading(store)])
  expect(records()).toHaveLength(0)
  clock.monoMs += 3_600_000
  await store.take([ownedReading(store)])
  expect(records()).toHaveLength(1)
})

test('trusted midnight splits: what was counted before it has the old day, a sensor-day is counted once a day', async () => {
  await store.take([ownedReading(store)])
  clock.pass(12 * 3_600_000 - 1000)
  await store.take([ownedReading(store)])
  clock.pass(2000)
  await store.take([ownedReading(store)])
  await reopen()
  const days = records().map(({ time }) => time.day)
  expect(days.at(0)).toBe('2026-11-21')
  expect(days.at(-1)).toBe('2026-11-22')
  const last = records()
    .filter(({ time }) => time.day === '2026-11-21')
    .at(-1)
  expect(last?.registers.find(({ meter }) => meter === 'sensor.active_day')?.end ?? 1n).toBe(1n)
  expect(registerEnd('sensor.active_day')).toBe(2n)
})

test('without trusted time a record has no day and says so', async () => {
  clock.clock = 'unsynced'
  await reopen()
  await store.take([ownedReading(store)])
  await reopen()
  const [record] = records().filter(({ kind }) => kind === 'interval')
  expect(record?.time).toMatchObject({ day: null, clock: 'unsynced' })
  expect(record?.registers[0]?.q).toBe(1 << USAGE_QUALITY.CLOCK_INVALID)
  expect(registerEnd('sensor.active_day')).toBeUndefined()
})

test('a step of the clock is an event, and a record in the chain', async () => {
  await store.noteClockStep({ stepMs: 60_000, wallMs: clock.wallMs })
  expect(store.reader.events(1)[0]).toMatchObject({ kind: 'clock_step', detail: { stepMs: 60_000 } })
  expect(records()[0]).toMatchObject({ kind: 'event', event: 'clock_step', registers: [] })
})

test('a new owner is a new channel number and a new generation that begins at 0', async () => {
  await store.take([ownedReading(store), ownedReading(store)])
  const next = { ...OWNER, org: 'borealis' as OrgId, ownerEpoch: 2 }
  await store.take([ownedReading(store, { owner: next })])
  const registers = store.reader.usage().filter(({ meter }) => meter === 'sensor.readings')
  expect(registers.map(({ org, gen, end }) => [org, gen, end])).toEqual([
    ['acme', 0, 2n],
    ['borealis', 1, 1n],
  ])
  expect(store.reader.channels().map(({ no, org }) => [no, org])).toEqual([
    [1, 'acme'],
    [2, 'borealis'],
  ])
  // A sensor-day belongs to the owner at its first reading.
  expect(store.reader.usage().filter(({ meter }) => meter === 'sensor.active_day')).toHaveLength(1)
})

test('an urgent reading does not wait for the window', async () => {
  await store.stop()
  store = testStore(place.folder, { clock, windowMs: 60_000 })
  await store.take([ownedReading(store)], true)
  expect(store.reader.counts().readings).toBe(1)
})

test('past hours are packed per channel; readings, counts and answers stay the same', async () => {
  const taken = Array.from({ length: 500 }, (_, n) =>
    ownedReading(store, { value: n / 100, takenAt: n, channel: n % 2 === 0 ? 'x' : 'y' }),
  )
  for (let n = 0; n < 500; n += 50) await store.take(taken.slice(n, n + 50))
  const before = store.reader.readings({ channels: [1, 2], from: 0, to: 1000 })
  store.upkeep()
  await store.writer.commitSoon()
  expect(store.database.prepare('SELECT count(*) FROM window').pluck().get()).toBe(10)
  clock.pass(3_600_000)
  store.published(10)
  store.upkeep()
  await store.writer.commitSoon()
  expect(store.database.prepare('SELECT count(*) FROM window').pluck().get()).toBe(0)
  expect(store.database.prepare('SELECT count(*) FROM pack').pluck().get()).toBe(2)
  expect(store.reader.readings({ channels: [1, 2], from: 0, to: 1000 })).toEqual(before)
  expect(store.reader.counts().readings).toBe(500)
  await reopen()
  expect(store.reader.latest().get(2)?.value).toBe(4.99)
})

test('a commit that found no room is made later, whole and once: readings, registers and latest values agree', async () => {
  await store.stop()
  // Looked at within the refusal: the next attempt, a second later, may succeed already.
  const atRefusal: unknown[] = []
  const onRefused = (): void => {
    atRefusal.push([store.reader.counts().readings, registerEnd('sensor.readings')])
  }
  store = testStore(place.folder, { clock, onRefused })
  await store.take([ownedReading(store)])
  const pages: unknown = store.database.pragma('page_count', { simple: true })
  store.database.pragma(`max_page_count = ${String(pages)}`)
  const many = Array.from({ length: 9000 }, () => ownedReading(store, { value: Math.random() }))
  const taking = store.take(many)
  await expect.poll(() => atRefusal.length, { timeout: 60_000 }).toBeGreaterThan(0)
  expect(atRefusal[0]).toEqual([1, 1n])
  const meanwhile = store.take([ownedReading(store, { value: 5 })])
  await Promise.all([taking, meanwhile])
  expect(store.reader.counts().readings).toBe(9002)
  expect(registerEnd('sensor.readings')).toBe(9002n)
  expect(store.reader.latest().get(1)?.value).toBe(5)
  await reopen()
  expect(registerEnd('sensor.readings')).toBe(9002n)
})
