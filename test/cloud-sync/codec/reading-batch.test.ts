import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeReadingBatch, encodeReadingBatch } from '../../../cloud-sync/codec/index.ts'
import { BATCH_READINGS_MAX, type ReadingBatch, SyncError } from '../../../cloud-sync/contract/index.ts'
import { workload, workloadDefs } from '../../support/workload.ts'

const defs = workloadDefs()
const resolutionOf = (channel: number): (typeof defs)[number]['resolution'] =>
  defs[channel - 1]?.resolution ?? null
const batch: ReadingBatch = {
  v: 1,
  gw: 'GW-000123',
  epoch: '5f'.repeat(16),
  seq: 41,
  prev: 'ab'.repeat(32),
  defs,
  readings: [...workload({ minutes: 17, jitterMs: 40 })].sort((a, b) => a.channel - b.channel),
}

test('a batch comes back with its definitions and readings', () => {
  expect(decodeReadingBatch(encodeReadingBatch(batch, resolutionOf))).toEqual(batch)
  const without = { ...batch, defs: [] }
  expect(decodeReadingBatch(encodeReadingBatch(without, resolutionOf))).toEqual(without)
})

test('more readings than a batch may have are refused on both sides', () => {
  const readings = Array.from({ length: BATCH_READINGS_MAX + 1 }, (_, at) => ({
    channel: 1,
    takenAt: at,
    value: 1,
    quality: 'good' as const,
    reason: null,
  }))
  expect(() => encodeReadingBatch({ ...batch, readings }, resolutionOf)).toThrow(SyncError)
  const full = encodeReadingBatch({ ...batch, readings: readings.slice(1) }, resolutionOf)
  expect(full.length).toBeLessThan(2000)
  expect(decodeReadingBatch(full).readings).toHaveLength(BATCH_READINGS_MAX)
})

test('damaged batches and definitions that unpack to too much are refused, never a crash', () => {
  const good = encodeReadingBatch(batch, resolutionOf)
  const decode = (bytes: Uint8Array): void => {
    try {
      decodeReadingBatch(bytes)
    } catch (error) {
      expect(error).toBeInstanceOf(SyncError)
      expect((error as SyncError).code).toBe('SYNC_MESSAGE_MALFORMED')
    }
  }
  fc.assert(
    fc.property(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 }), (at, value) => {
      const damaged = good.slice()
      damaged[at] = value
      decode(damaged)
      decode(good.subarray(0, at))
    }),
    { numRuns: 300 },
  )
  const bomb = deflateRawSync(new Uint8Array(64 * 1024 * 1024))
  const length = [(bomb.length & 127) | 128, ((bomb.length >> 7) & 127) | 128, bomb.length >> 14]
  const head = good.subarray(0, 1 + 1 + 9 + 16 + 1 + 32)
  expect(() => decodeReadingBatch(Buffer.concat([head, Buffer.from(length), bomb]))).toThrow(
    'The packed part is damaged.',
  )
})
