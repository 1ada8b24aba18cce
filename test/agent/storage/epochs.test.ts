import { expect, onTestFinished, test } from 'vitest'
import { decodeReadingBatch, sha256 } from '../../../cloud-sync/codec/index.ts'
import { LINK_PAYLOAD_BYTES_MAX, ZERO_HASH } from '../../../cloud-sync/contract/index.ts'
import type { StoredBatch } from '../../../cloud-sync/gateway/index.ts'
import { ownedReading, temporaryFolder, testStore } from '../../support/store.ts'

const named = (no: number): string => sha256(Buffer.from(`channel ${no}`)).slice(0, 60)
const text = (no: number): string => [1, 2, 3, 4, 5].map((n) => sha256(Buffer.from(`${no} ${n}`))).join('')
const textsIn = (batches: readonly StoredBatch[]): string[] =>
  batches
    .flatMap(({ body }) => decodeReadingBatch(body).readings.map(({ value }) => String(value)))
    .toSorted()

test('a batch that a new epoch makes larger, by its definitions, is cut to what the link takes', async () => {
  const { folder, remove } = temporaryFolder()
  const store = testStore(folder, { newEpoch: () => '2'.repeat(32) as never })
  onTestFinished(async () => {
    await store.stop()
    remove()
  })
  const channels = Array.from({ length: 300 }, (_, no) => ({ device: named(no), channel: `c${named(-no)}` }))
  const take = (value: (no: number) => string | number) =>
    store.take(channels.map((of, no) => ownedReading(store, { ...of, value: value(no), takenAt: no })))
  const batchesAfter = async (last: number): Promise<StoredBatch[]> => {
    const batch = await store.outbox.next('rd', last)
    return batch === undefined ? [] : [batch, ...(await batchesAfter(batch.last))]
  }
  const hear = async (upTo: number, status: 'ok' | 'conflict', batches: readonly StoredBatch[]) => {
    const epoch = store.outbox.streams().rd?.epoch ?? ('' as never)
    const last = batches.at(-1)
    const hash = last === undefined ? ZERO_HASH : sha256(last.body)
    await store.outbox.acknowledge('rd', { epoch, upTo, serverTime: 1, hash, status })
  }
  await take(() => 1)
  const known = await batchesAfter(0)
  await hear(known.length, 'ok', known)
  await take(text)
  const before = await batchesAfter(known.length)
  await hear(known.length, 'conflict', known)
  const again = await batchesAfter(0)
  expect(textsIn(again)).toEqual(textsIn(before))
  expect(textsIn(again)).toHaveLength(channels.length)
  expect(Math.max(...again.map(({ body }) => body.length))).toBeLessThanOrEqual(LINK_PAYLOAD_BYTES_MAX)
})
