import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeColumns, encodeColumns } from '../../../cloud-sync/codec/index.ts'
import {
  QUALITIES,
  type Resolution,
  type StoredReading,
  SyncError,
} from '../../../cloud-sync/contract/index.ts'
import { workload } from '../../support/workload.ts'

const none = (): null => null
const hundredths = (): Resolution => ({ step: 1, digits: 2 })

/** What decoding promises: by channel, in each channel as given. */
const inOrder = (readings: readonly StoredReading[]): StoredReading[] =>
  readings.toSorted((a, b) => a.channel - b.channel)

function expectExact(readings: readonly StoredReading[], resolutionOf: () => Resolution | null): void {
  const back = decodeColumns(encodeColumns(readings, resolutionOf), readings.length)
  // toStrictEqual tells -0 from 0.
  expect(back).toStrictEqual(inOrder(readings))
}

const anyTime = fc.oneof(
  fc.integer({ min: -(2 ** 51), max: 2 ** 51 }),
  fc.integer({ min: 1_790_000_000_000, max: 1_790_000_100_000 }),
)
const double = fc.double({ noNaN: true, noDefaultInfinity: true })
const decimal = fc.tuple(fc.integer(), fc.nat({ max: 6 })).map(([n, digits]) => n / 10 ** digits)
const anyValue = fc.oneof(
  double,
  decimal,
  fc.constantFrom(
    0,
    -0,
    5e-324,
    -5e-324,
    Number.MAX_VALUE,
    Number.MAX_SAFE_INTEGER,
    0.1 + 0.2,
    2 ** 51,
    2 ** 53,
  ),
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.bigInt({ min: -(2n ** 300n), max: 2n ** 300n }),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('\ud800', '', 'ok', '雪'),
  fc.constant(null),
)
const anyResolution: fc.Arbitrary<Resolution | null> = fc.option(
  fc.record({ step: fc.integer({ min: 1, max: 1_000_000 }), digits: fc.nat({ max: 12 }) }),
)
const anyReading = fc.record(
  {
    channel: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
    takenAt: anyTime,
    value: anyValue,
    quality: fc.constantFrom(...QUALITIES),
    reason: fc.option(fc.constantFrom('timeout', 'exception-2', 'range', '')),
  },
  { noNullPrototype: true },
)

test('any readings come back exactly, whatever their kinds, order and times', () => {
  fc.assert(
    fc.property(fc.array(anyReading, { maxLength: 60 }), anyResolution, (readings, resolution) => {
      expectExact(readings, () => resolution)
    }),
    { numRuns: 500 },
  )
})

/** A channel as channels are: of one kind, on a grid of times, with jumps and gaps. */
const series = fc
  .record({
    values: fc.oneof<fc.Arbitrary<(number | bigint)[]>[]>(
      fc.array(double, { minLength: 1, maxLength: 100 }),
      fc.array(decimal, { minLength: 1, maxLength: 100 }),
      fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 100 }),
      fc.array(fc.integer({ min: -(2 ** 51), max: 2 ** 51 }), { minLength: 1, maxLength: 100 }),
      fc.array(fc.maxSafeInteger(), { minLength: 1, maxLength: 100 }),
      fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n }), { minLength: 1, maxLength: 100 }),
    ),
    steps: fc.array(fc.oneof(fc.constant(60_000), fc.constant(0), fc.integer(), fc.constant(-86_400_000)), {
      minLength: 100,
      maxLength: 100,
    }),
  })
  .map(({ values, steps }) => {
    let takenAt = 1_790_000_000_000
    return values.map((value, at): StoredReading => {
      takenAt += steps[at] ?? 0
      return { channel: 9, takenAt, value, quality: 'good', reason: null }
    })
  })

test('a series comes back exactly, over gaps, repeated times and a clock that jumps back', () => {
  fc.assert(
    fc.property(series, anyResolution, (readings, resolution) => {
      expectExact(readings, () => resolution)
    }),
    { numRuns: 500 },
  )
})

test('a declared decimal comes back as the very same number, at every digit', () => {
  for (let digits = 0; digits <= 12; digits += 1) {
    for (const step of [1, 5, 7]) {
      const readings = Array.from({ length: 200 }, (_, at): StoredReading => {
        const value = (Math.round(Math.sin(at) * 10 ** Math.min(digits + 2, 9)) * step) / 10 ** digits
        return { channel: 1, takenAt: at * 1000, value, quality: 'good', reason: null }
      })
      expectExact(readings, () => ({ step, digits }))
    }
  }
})

test.for([NaN, Infinity, -Infinity])('%d is not a value', (value) => {
  const reading: StoredReading = { channel: 1, takenAt: 0, value, quality: 'good', reason: null }
  expect(() => encodeColumns([reading], none)).toThrow(RangeError)
})

test.for([0.5, NaN, 2 ** 52, -(2 ** 52)])('%d is not a time', (takenAt) => {
  const reading: StoredReading = { channel: 1, takenAt, value: 1, quality: 'good', reason: null }
  expect(() => encodeColumns([reading], none)).toThrow(RangeError)
})

const survives = (bytes: Uint8Array): void => {
  try {
    decodeColumns(bytes, 1000)
  } catch (error) {
    expect(error).toBeInstanceOf(SyncError)
    expect((error as SyncError).code).toBe('SYNC_MESSAGE_MALFORMED')
  }
}

test('damaged and random bytes give SYNC_MESSAGE_MALFORMED or other readings, never a crash', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      survives(bytes)
      survives(Uint8Array.from([1, ...bytes]))
    }),
    { numRuns: 2000 },
  )
  const good = encodeColumns([...workload({ minutes: 10, jitterMs: 40 })], hundredths)
  fc.assert(
    fc.property(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 }), (at, value) => {
      const damaged = good.slice()
      damaged[at] = value
      survives(damaged)
    }),
    { numRuns: 500 },
  )
})

test('a blob cut short or with bytes after its end is refused', () => {
  const good = encodeColumns([...workload({ minutes: 5, jitterMs: 40 })], hundredths)
  for (let length = 0; length < good.length - 8; length += 7) {
    expect(() => decodeColumns(good.subarray(0, length), 1000)).toThrow(SyncError)
  }
  expect(() => decodeColumns(Uint8Array.from([...good, 1, 2, 3, 4, 5]), 1000)).toThrow(SyncError)
})

test('a blob that claims more readings than allowed is refused', () => {
  const readings = [...workload({ minutes: 10 })]
  const blob = encodeColumns(readings, hundredths)
  expect(decodeColumns(blob, readings.length)).toHaveLength(600)
  expect(() => decodeColumns(blob, readings.length - 1)).toThrow('There are more readings than allowed.')
})

const bytesAReading = (batch: number, jitterMs: number): number => {
  const readings = [...workload({ minutes: Math.ceil((10 * batch) / 60), jitterMs })]
  let bytes = 0
  for (let at = 0; at < 10; at += 1)
    bytes += encodeColumns(readings.slice(at * batch, (at + 1) * batch), hundredths).length
  return bytes / (10 * batch)
}
test.for([
  [0, 0.5],
  [40, 0.78],
])(
  'a batch of 1,000 readings late by up to %d ms takes at most %d bytes a reading',
  ([jitterMs = 0, most = 0]) => {
    expect(bytesAReading(1000, jitterMs)).toBeLessThan(most)
  },
)

test.for([
  [0, 0.8],
  [40, 1.4],
])(
  'an hour of one channel late by up to %d ms takes at most %d bytes a reading',
  ([jitterMs = 0, most = 0]) => {
    const all = [...workload({ minutes: 60, jitterMs })]
    let bytes = 0
    for (let channel = 1; channel <= 60; channel += 1) {
      const hour = all.filter((reading) => reading.channel === channel)
      bytes += encodeColumns(hour, hundredths).length
    }
    expect(bytes / 3600).toBeLessThan(most)
  },
)

test('a channel that never changes costs next to nothing', () => {
  const still = Array.from(
    { length: 1000 },
    (_, at): StoredReading => ({
      channel: 1,
      takenAt: 1_790_000_000_000 + at * 10_000,
      value: 21.5,
      quality: 'good',
      reason: null,
    }),
  )
  expect(encodeColumns(still, none).length).toBeLessThan(40)
})
