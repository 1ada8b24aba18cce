import { afterEach, beforeEach, expect, test } from 'vitest'
import { decodeReadingBatch, decodeUsageBatch, sha256 } from '../../../cloud-sync/codec/index.ts'
import type { ReadingBatch, Stream } from '../../../cloud-sync/contract/index.ts'
import { type Placed, QuotaSite } from '../../support/quota-site.ts'

const DAY_MS = 86_400_000

let site: QuotaSite
beforeEach(() => {
  site = new QuotaSite()
})
afterEach(async () => {
  await site.remove()
})

/** Makes and acknowledges all that a stream has; the values that were sent, and by whom. */
async function sent(stream: Stream = 'rd'): Promise<string[]> {
  const found: string[] = []
  for (;;) {
    const { next = 1 } = site.store.outbox.streams()[stream] ?? {}
    const batch = await site.store.outbox.next(stream, next - 1)
    if (batch === undefined) return found
    expect(batch.first).toBe(next)
    const decoded = decodeReadingBatch(batch.body)
    found.push(...decoded.readings.map((reading) => nameOf(decoded, reading)))
    const upTo = batch.last
    const { epoch } = batch
    const hash = sha256(batch.body)
    await site.store.outbox.acknowledge(stream, { epoch, upTo, hash, status: 'ok', serverTime: 0 })
  }
}

function nameOf({ readings }: ReadingBatch, { channel, value }: ReadingBatch['readings'][number]): string {
  expect(readings.length).toBeGreaterThan(0)
  return `${site.store.channel(channel)?.device ?? ''} ${String(value)}`
}

const named = (device: Placed, values: readonly number[]): string[] =>
  values.map((value) => `${device} ${String(value)}`)

const usedBy = (workspace: string): bigint | undefined =>
  site.store.quota.facts().find((fact) => fact.workspace === workspace)?.used

test('I20 at the limit of one organisation its readings wait, and those of another on the gateway go on', async () => {
  await site.limit({ wall: 3, crest: 100 })
  await site.take('wall-1', [1, 2, 3])
  await site.take('wall-1', [4])
  await site.take('wall-2', [5])
  await site.take('crest-1', [6])
  await site.take('loose', [7])
  // What reached the limit still goes; from the next commit on it waits.
  expect(await sent()).toEqual([...named('wall-1', [1, 2, 3]), 'crest-1 6', 'loose 7'])
  expect(await sent('rd/h')).toEqual([])
  // Taken, stored and metered all the same.
  expect(site.store.reader.counts().readings).toBe(7)
  expect(usedBy('wall')).toBe(5n)
})

test('S3.3 what waited goes when the limit is raised: in order, whole, once, and newer readings go by themselves', async () => {
  await site.limit({ wall: 1 })
  await site.take('wall-1', [1])
  for (const value of [2, 3, 4]) await site.take('wall-1', [value])
  await site.take('crest-1', [5])
  expect(await sent()).toEqual(['wall-1 1', 'crest-1 5'])
  await site.limit({ wall: 100 })
  await site.take('wall-1', [6])
  expect(await sent()).toEqual(['wall-1 6'])
  expect(await sent('rd/h')).toEqual(named('wall-1', [2, 3, 4]))
  expect(await sent('rd/h')).toEqual([])
  expect(site.store.quota.holds().every(({ delivered }) => delivered !== null)).toBe(true)
})

test('the back-fill lane is told when something is released', async () => {
  await site.limit({ wall: 1 })
  await site.take('wall-1', [1])
  await site.take('wall-1', [2])
  await sent()
  const told: Stream[] = []
  site.store.outbox.onWaiting((stream) => told.push(stream))
  await site.limit({ wall: 100 })
  expect(told).toContain('rd/h')
})

test('what waits is not forgotten by a restart, nor is what was used', async () => {
  await site.limit({ wall: 2 })
  await site.take('wall-1', [1, 2])
  await site.take('wall-1', [3])
  await site.reopen()
  expect(usedBy('wall')).toBe(3n)
  await site.take('wall-1', [4])
  await site.take('crest-1', [5])
  expect(await sent()).toEqual(['crest-1 5'])
  // What the run before left to send goes, but for what waits.
  expect(await sent('rd/h')).toEqual(named('wall-1', [1, 2]))
  await site.reopen()
  await site.limit({ wall: 100 })
  expect(await sent('rd/h')).toEqual(named('wall-1', [3, 4]))
})

test('a new month of trusted time releases what waited, and counts from there', async () => {
  await site.limit({ wall: 1 })
  await site.take('wall-1', [1])
  await site.take('wall-1', [2])
  await sent()
  site.pass(10)
  expect(site.store.quota.isDue()).toBe(true)
  await site.look()
  expect(usedBy('wall')).toBe(0n)
  expect(await sent('rd/h')).toEqual(['wall-1 2'])
  await site.take('wall-1', [3])
  await site.take('wall-1', [4])
  expect(await sent()).toEqual(['wall-1 3'])
})

test('a month begins in the billing zone of who pays, and for nobody else', async () => {
  const zone = 'Pacific/Kiritimati'
  await site.limit({ wall: 1, crest: 1 }, zone)
  await site.take('wall-1', [1])
  await site.take('crest-1', [1])
  await site.take('wall-1', [2])
  await site.take('crest-1', [2])
  await sent()
  // Noon UTC of the last day of a month: 14 hours ahead the next one has begun.
  const now = new Date(site.clock.wallMs)
  const ends = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1)
  site.clock.pass(ends - DAY_MS / 2 - site.clock.wallMs)
  expect(site.store.quota.isDue()).toBe(true)
  await site.look()
  expect(site.store.quota.isDue()).toBe(false)
  expect([usedBy('wall'), usedBy('crest')]).toEqual([0n, 2n])
  expect(await sent('rd/h')).toEqual(['wall-1 2'])
  await site.take('wall-1', [3])
  expect(await sent()).toEqual(['wall-1 3'])
  await site.reopen()
  site.clock.pass(DAY_MS / 2)
  await site.look()
  expect([usedBy('wall'), usedBy('crest')]).toEqual([1n, 0n])
  expect(await sent('rd/h')).toEqual(['crest-1 2'])
})

test('time that is not trusted begins no month; once it is, the month that was meanwhile releases', async () => {
  await site.limit({ wall: 1 })
  await site.take('wall-1', [1])
  await site.take('wall-1', [2])
  await sent()
  site.clock.clock = 'unsynced'
  site.pass(40)
  await site.look()
  expect(await sent('rd/h')).toEqual([])
  await site.reopen()
  expect(await sent('rd/h')).toEqual([])
  site.clock.clock = 'synced'
  await site.look()
  expect(await sent('rd/h')).toEqual(['wall-1 2'])
})

test('a clock that was set back to an earlier month gives no limit twice', async () => {
  await site.limit({ wall: 1 })
  await site.take('wall-1', [1])
  site.clock.wallMs -= 40 * 86_400_000
  await site.take('wall-1', [2])
  expect(await sent()).toEqual(['wall-1 1'])
  expect(usedBy('wall')).toBe(2n)
})

test('an alarm of what waits is told to the cloud at once, as an event, at most once a minute', async () => {
  await site.limit({ wall: 1 })
  await site.take('wall-1', [1])
  await site.take('wall-1', [2])
  await site.take('wall-1', [99], { alarm: true })
  await site.take('crest-1', [99], { alarm: true })
  const alarms = () => site.store.reader.events(20).filter(({ kind }) => kind === 'alarm_held')
  expect(alarms().map(({ detail }) => detail)).toMatchObject([
    { org: 'acme', ownerEpoch: 1, device: 'wall-1', channel: 'x', value: 99 },
  ])
  await site.take('wall-1', [100], { alarm: true })
  expect(alarms().length).toBe(1)
  site.clock.pass(60_000)
  await site.take('wall-1', [101], { alarm: true })
  expect(alarms().map(({ detail }) => detail['value'])).toEqual([101, 99])
  // The readings themselves still wait, and go once.
  expect(await sent()).toEqual(['wall-1 1', 'crest-1 99'])
})

test('usage is not counted twice when the stream of usage begins anew', async () => {
  await site.limit({ wall: 100 })
  await site.take('wall-1', [1, 2, 3])
  const { epoch = '', next = 1 } = site.store.outbox.streams().usage ?? {}
  await site.store.outbox.acknowledge('usage', {
    epoch: epoch as never,
    upTo: next - 1,
    hash: '1'.repeat(64) as never,
    status: 'fork',
    serverTime: 0,
  })
  await site.take('wall-1', [4])
  expect(site.store.outbox.streams().usage?.epoch).not.toBe(epoch)
  expect(usedBy('wall')).toBe(4n)
  await site.reopen()
  expect(usedBy('wall')).toBe(4n)
})

test('packed hours keep what waits apart from what was sent', async () => {
  await site.limit({ wall: 1 })
  await site.take('wall-1', [1])
  await site.take('crest-1', [2])
  await site.take('wall-1', [3])
  await sent()
  await site.limit({ wall: 3 })
  await site.take('wall-1', [4])
  await sent()
  await site.take('wall-1', [5])
  site.clock.pass(3_600_000)
  site.store.published(99)
  for (let hour = 0; hour < 6; hour += 1) site.store.upkeep()
  await site.look()
  await site.limit({ wall: 100 })
  const later = [...(await sent('rd/h')), ...(await sent())]
  expect(later.toSorted()).toEqual(named('wall-1', [3, 5]).toSorted())
})

test('the turn is in the chain of usage and among the events, once each way', async () => {
  await site.limit({ wall: 1 })
  await site.take('wall-1', [1])
  await site.take('wall-1', [2])
  await site.look()
  await site.reopen()
  await site.look()
  await site.limit({ wall: 100 })
  await site.look()
  const batch = await site.store.outbox.next('usage', 0)
  const records = batch === undefined ? [] : decodeUsageBatch(batch.body).records
  const events = records.filter(({ record }) => record.event === 'quota')
  expect(events.map(({ record }) => record.org)).toEqual(['acme', 'acme'])
  const told = site.store.reader.events(10).filter(({ kind }) => kind === 'quota_turned')
  expect(told.map(({ detail }) => detail['blocked']).toSorted()).toEqual([false, true])
})
