import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  decodeEventBatch,
  decodeReadingBatch,
  decodeUsageBatch,
  sha256,
} from '../../../cloud-sync/codec/index.ts'
import {
  type Ack,
  type Hash,
  type Stream,
  USAGE_QUALITY,
  ZERO_HASH,
} from '../../../cloud-sync/contract/index.ts'
import type { StoredBatch } from '../../../cloud-sync/gateway/index.ts'
import type { Store } from '../../../agent/storage/index.ts'
import { ownedReading, StoppedClock, temporaryFolder, testStore } from '../../support/store.ts'

let place: ReturnType<typeof temporaryFolder>
let clock: StoppedClock
let store: Store
let epochs = 0
beforeEach(() => {
  place = temporaryFolder()
  clock = new StoppedClock()
  epochs = 0
  store = open()
})
afterEach(async () => {
  await store.stop()
  place.remove()
})

function open(): Store {
  const newEpoch = () => (++epochs).toString(16).padStart(32, '0') as never
  return testStore(place.folder, { clock, newEpoch, windowMs: 2 })
}
async function reopen(): Promise<void> {
  await store.stop()
  store = open()
}
async function take(values: readonly number[], of: { channel?: string } = {}): Promise<void> {
  await store.take(values.map((value) => ownedReading(store, { ...of, value, takenAt: value })))
}
/** Every batch of a stream that can be made now. */
async function drain(stream: Stream, after = 0): Promise<StoredBatch[]> {
  const batches: StoredBatch[] = []
  for (let last = after; ; ) {
    const batch = await store.outbox.next(stream, last)
    if (batch === undefined) return batches
    batches.push(batch)
    last = batch.last
  }
}
const epochOf = (stream: Stream) => {
  const state = store.outbox.streams()[stream]
  if (state === undefined) throw new Error('no stream')
  return state
}
async function ack(stream: Stream, upTo: number, of: Partial<Ack> = {}): Promise<void> {
  const status = of.status ?? 'ok'
  const hash = of.hash ?? (await hashAt(stream, upTo))
  const { epoch } = epochOf(stream)
  await store.outbox.acknowledge(stream, { epoch, upTo, serverTime: clock.wallMs, ...of, status, hash })
}
async function hashAt(stream: Stream, upTo: number): Promise<Hash> {
  if (upTo === 0) return ZERO_HASH
  if (stream === 'usage') {
    const all = (await drain('usage')).flatMap(({ body }) => decodeUsageBatch(body).records)
    return all.find(({ record }) => record.seq === upTo)?.hash ?? ZERO_HASH
  }
  const batch = (await drain(stream)).find(({ last }) => last === upTo)
  return batch === undefined ? ZERO_HASH : sha256(batch.body)
}
const valuesOf = (batches: readonly StoredBatch[]): unknown[] =>
  batches.flatMap(({ body }) => decodeReadingBatch(body).readings.map(({ value }) => value))
const closeInterval = async (): Promise<void> => {
  clock.pass(3_600_000)
  await take([1])
}

test('a batch is byte-identical until it is acknowledged, also after a restart, and gone after it', async () => {
  await take([1, 2, 3])
  const [first] = await drain('rd')
  await take([4])
  expect((await drain('rd'))[0]).toEqual(first)
  await reopen()
  expect(await store.outbox.next('rd', 0)).toEqual(first)
  await ack('rd', 1)
  expect((await store.outbox.next('rd', 0))?.first).not.toBe(1)
  expect(epochOf('rd').oldest).toBe(2)
})

test('each reading is in exactly one batch: live, left by an earlier run, and packed', async () => {
  await take([1, 2])
  await drain('rd')
  await take([3, 4])
  await reopen()
  await take([5])
  clock.pass(3_600_000)
  store.published(99)
  store.upkeep()
  await store.writer.commitSoon()
  await take([6])
  const live = valuesOf(await drain('rd'))
  const backfill = valuesOf(await drain('rd/h'))
  expect([...live, ...backfill].toSorted()).toEqual([1, 2, 3, 4, 5, 6])
  expect(live).toContain(6)
  expect(backfill).toEqual(expect.arrayContaining([3, 4, 5]))
  expect(store.reader.counts()).toMatchObject({ unbatched: 0, readings: 6 })
})

test('what is packed before the live lane took it goes by the back-fill lane, and the lane is told', async () => {
  const told: Stream[] = []
  store.outbox.onWaiting((stream) => told.push(stream))
  await take([1, 2])
  // The wall clock jumps: the hour is past at once, for the monotonic clock nothing is old.
  clock.wallMs += 3_600_000
  store.published(99)
  store.upkeep()
  await store.writer.commitSoon()
  expect(told).toContain('rd/h')
  clock.monoMs += 10_000
  const sent = [...valuesOf(await drain('rd')), ...valuesOf(await drain('rd/h'))]
  expect(sent).toEqual([1, 2])
  expect(store.reader.counts().unbatched).toBe(0)
})

test('after two minutes without a link older readings leave the live lane', async () => {
  await take([1])
  clock.pass(200_000)
  await take([2])
  expect(valuesOf(await drain('rd'))).toEqual([2])
  expect(valuesOf(await drain('rd/h'))).toEqual([1])
})

test('batches chain, and carry the definitions until a batch with them is acknowledged', async () => {
  await take([1])
  const [first] = await drain('rd')
  await take([2])
  const second = await store.outbox.next('rd', 1)
  if (first === undefined || second === undefined) throw new Error('no batch')
  expect(decodeReadingBatch(second.body)).toMatchObject({ seq: 2, prev: sha256(first.body) })
  expect(decodeReadingBatch(second.body).defs.map(({ no }) => no)).toEqual([1])
  await ack('rd', 1)
  await take([3])
  await take([4], { channel: 'y' })
  const later = (await drain('rd', 2)).flatMap(({ body }) => decodeReadingBatch(body).defs)
  expect(later.map(({ channel }) => channel)).toEqual(['y'])
})

test('live readings wait for a full batch or its delay', async () => {
  await store.stop()
  store = testStore(place.folder, { clock, liveDelayMs: 5000 })
  await take([1])
  expect(await store.outbox.next('rd', 0)).toBeUndefined()
  clock.pass(5000)
  expect(valuesOf(await drain('rd'))).toEqual([1])
  await take(Array.from({ length: 1000 }, (_, n) => n))
  expect(await drain('rd', 1)).toHaveLength(1)
})

test('texts that do not compress are split into messages that brokers accept', async () => {
  let seed = 1
  const noise = (): string =>
    Array.from({ length: 400 }, () => {
      seed = (seed * 48_271) % 2_147_483_647
      return String.fromCharCode(33 + (seed % 90))
    }).join('')
  const taken = Array.from({ length: 400 }, () => ownedReading(store, { value: noise() }))
  await store.take(taken)
  const live = await drain('rd')
  expect(live.length).toBeGreaterThan(1)
  expect(Math.max(...live.map(({ body }) => body.length))).toBeLessThan(60 * 1024 - 73)
  expect(valuesOf(live)).toEqual(taken.map(({ reading }) => reading.value))
})

test('usage is kept until the ledger confirms it and can be asked for again afterwards', async () => {
  await take([1])
  await closeInterval()
  await closeInterval()
  const [batch] = await drain('usage')
  expect(batch).toMatchObject({ first: 1, last: 2 })
  await ack('usage', 2)
  expect(await store.outbox.next('usage', 0)).toBeUndefined()
  await closeInterval()
  await drain('usage')
  await ack('usage', 0, { status: 'gap', want: 1 })
  const again = (await drain('usage')).flatMap(({ body }) => decodeUsageBatch(body).records)
  expect(again.map(({ record }) => record.seq)).toEqual([1, 2, 3])
})

test('an acknowledgement of another epoch changes nothing', async () => {
  await take([1])
  await drain('rd')
  const before = store.outbox.streams()
  await ack('rd', 1, { epoch: 'f'.repeat(32) as never, status: 'conflict' })
  expect(store.outbox.streams()).toEqual(before)
})

const leaving: [string, Partial<Ack>, string][] = [
  ['a conflict', { status: 'conflict' }, 'conflict'],
  ['a fork', { status: 'fork' }, 'fork'],
  ['an epoch the cloud does not know', { status: 'unknown_epoch' }, 'unknown_epoch'],
  ['a confirmation of more than was ever made', { upTo: 7, hash: 'a'.repeat(64) as Hash }, 'behind'],
]
test.for(leaving)(
  '%s begins a new epoch that names its parent, and usage is issued again',
  async ([, of, because]) => {
    await take([1, 2])
    await closeInterval()
    await drain('usage')
    await ack('usage', 1)
    await take([3])
    await closeInterval()
    await drain('usage')
    const old = epochOf('usage')
    await ack('usage', of.upTo ?? 1, of)
    const now = epochOf('usage')
    expect(now).toMatchObject({ parent: old.epoch, oldest: 1, next: 2 })
    expect(now.epoch).not.toBe(old.epoch)
    const [again] = (await drain('usage')).flatMap(({ body }) => decodeUsageBatch(body).records)
    const readings = again?.record.registers.find(({ meter }) => meter === 'sensor.readings')
    // Two were confirmed and one counted with the closing of each interval: what is left begins at 0 in a new generation.
    expect(readings).toMatchObject({ gen: 1, end: 2n, q: 1 << USAGE_QUALITY.REPLAY })
    expect(again?.record).toMatchObject({ seq: 1, prev: ZERO_HASH, epoch: now.epoch })
    expect(store.reader.events(1)[0]).toMatchObject({
      kind: 'new_epoch',
      detail: { stream: 'usage', because },
    })
    await closeInterval()
    const next = (await drain('usage', 1)).flatMap(({ body }) => decodeUsageBatch(body).records).at(-1)
    expect(next?.record.registers.find(({ meter }) => meter === 'sensor.readings')).toMatchObject({
      gen: 1,
      end: 3n,
    })
  },
)

test('a readings stream that forks makes its unacknowledged batches again in a new epoch', async () => {
  await take([1])
  await drain('rd')
  await ack('rd', 1)
  await take([2])
  await take([3])
  const before = valuesOf(await drain('rd', 1))
  await ack('rd', 1, { status: 'conflict' })
  const again = await drain('rd')
  expect(valuesOf(again)).toEqual(before)
  expect(again[0]).toMatchObject({ first: 1, epoch: epochOf('rd').epoch })
  expect(decodeReadingBatch(again[0]?.body ?? new Uint8Array())).toMatchObject({
    prev: ZERO_HASH,
    defs: [{ no: 1 }],
  })
})

test('events are numbered, batched and kept until acknowledged', async () => {
  await store.recordEvent('alarm', { channel: 'x' })
  await store.recordEvent('alarm', { channel: 'y' })
  const [batch] = await drain('evt')
  expect(decodeEventBatch(batch?.body ?? new Uint8Array()).events.map(({ detail }) => detail)).toEqual([
    { channel: 'x' },
    { channel: 'y' },
  ])
  await ack('evt', 1)
  expect(await drain('evt')).toEqual([batch])
  await ack('evt', 2)
  expect(await drain('evt')).toEqual([])
  await store.recordEvent('alarm', {})
  await ack('evt', 2, { status: 'conflict' })
  const again = await drain('evt')
  expect(decodeEventBatch(again[0]?.body ?? new Uint8Array()).events.map(({ kind }) => kind)).toEqual([
    'alarm',
    'new_epoch',
  ])
})

test('whoever listens is told of each stream in which something waits', async () => {
  const told = new Set<Stream>()
  const stop = store.outbox.onWaiting((stream) => told.add(stream))
  await take([1])
  await closeInterval()
  await store.recordEvent('alarm', {})
  expect([...told].toSorted()).toEqual(['evt', 'rd', 'usage'])
  stop()
})

test('events of a time without a cloud that are forgotten do not stop the later ones', async () => {
  await store.stop()
  store = testStore(place.folder, { clock, cloudConfigured: false })
  await Promise.all(Array.from({ length: 2500 }, (_, n) => store.recordEvent('alarm', { n })))
  store.upkeep()
  await store.writer.commitSoon()
  await store.stop()
  store = open()
  const [first] = await drain('evt')
  expect(first?.first).toBe(501)
  // A cloud that never heard of this gateway wants them from the first on.
  await ack('evt', 0, { status: 'gap', want: 1 })
  const again = (await drain('evt')).flatMap(({ body }) => decodeEventBatch(body).events)
  expect(again).toHaveLength(2001)
  expect(again[0]?.detail).toEqual({ n: 500 })
  expect(again.at(-1)).toMatchObject({ kind: 'new_epoch', detail: { because: 'cloud-set-back' } })
})

test('more events than may wait are counted, not numbered', async () => {
  store.database.prepare(`UPDATE stream SET next = 20002 WHERE name = 'evt'`).run()
  await store.recordEvent('alarm', {})
  expect(epochOf('evt').next).toBe(20_002)
  expect(store.database.prepare(`SELECT value FROM meta WHERE key = 'events_dropped'`).pluck().get()).toBe(
    '1',
  )
})
