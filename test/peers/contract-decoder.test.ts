import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect } from 'vitest'
import { encodeReadingBatch } from '../../cloud-sync/codec/index.ts'
import type { Resolution, StoredReading } from '../../cloud-sync/contract/index.ts'
import { testWith } from '../support/peers.ts'
import { workload } from '../support/workload.ts'

const HEAD = { v: 1, gw: 'GW-000123', epoch: '5f'.repeat(16), seq: 300, prev: 'ab'.repeat(32) } as const
const hundredths = (): Resolution => ({ step: 1, digits: 2 })
const good = { quality: 'good', reason: null } as const

type Decoded = { readings: [number, number, number, string | null, string, string | null][] } & Record<
  'gw' | 'epoch' | 'seq' | 'prev',
  unknown
>

/** What the decoder in Python makes of these bodies. */
function decoded(bodies: readonly Uint8Array[]): Decoded[] {
  const input = bodies.map((body) => Buffer.from(body).toString('hex')).join('\n')
  const program = join(import.meta.dirname, 'contract-decoder.py')
  const output = execFileSync('/usr/bin/python3', [program], {
    input,
    encoding: 'utf8',
    timeout: 120_000,
    maxBuffer: 64 * 1024 * 1024,
  })
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Decoded)
}

/** Python's `float.hex()`, exactly. */
function hexOf(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0x0.0p+0' : '0x0.0p+0'
  const bits = Buffer.alloc(8)
  bits.writeDoubleBE(Math.abs(value))
  const high = bits.readUInt16BE(0) >> 4
  const fraction = bits.toString('hex').slice(3)
  const power = (high === 0 ? 1 : high) - 1023
  return `${value < 0 ? '-' : ''}0x${high === 0 ? 0 : 1}.${fraction}p${power < 0 ? '' : '+'}${power}`
}

/** A reading as the decoder in Python prints it, without the kind. */
function told({ channel, takenAt, value, quality, reason }: StoredReading): unknown[] {
  const text = typeof value === 'number' ? hexOf(value) : value === null ? null : String(value)
  return [channel, takenAt, text, quality, reason]
}

const EVERY_KIND: StoredReading[] = [
  { channel: 1, takenAt: 1_790_000_000_000, value: 21.53, ...good },
  { channel: 1, takenAt: 1_790_000_060_012, value: 21.55, ...good },
  { channel: 1, takenAt: 1_790_000_120_003, value: null, quality: 'bad', reason: 'timeout' },
  { channel: 1, takenAt: 1_790_000_300_020, value: 21.5, quality: 'uncertain', reason: 'late' },
  { channel: 2, takenAt: 1_790_000_000_000, value: 2n ** 64n, ...good },
  { channel: 2, takenAt: 1_790_000_060_012, value: -(2n ** 70n), ...good },
  { channel: 5, takenAt: 1_790_000_000_000, value: Math.fround(0.1), ...good },
  { channel: 5, takenAt: 1_790_000_060_012, value: Math.fround(-1e30), ...good },
  { channel: 7, takenAt: 1_790_000_000_350, value: 'ok ✓', ...good },
  { channel: 7, takenAt: 1_790_000_000_360, value: 'ok ✓', ...good },
  { channel: 9, takenAt: 1_790_000_000_350, value: Math.PI, ...good },
  { channel: 9, takenAt: 1_790_000_060_350, value: -0, ...good },
  { channel: 400, takenAt: 5, value: 5e-324, ...good },
  ...Array.from({ length: 20 }, (_, n) => ({
    channel: 401,
    takenAt: 1_790_000_000_000 + n * 1_000_003,
    value: n === 7 ? 0.123456 : (n * 1_000_000_007) % 500_000,
    ...good,
  })),
]

testWith('python')('a decoder in another language reads the same from every batch', () => {
  const batches = [
    EVERY_KIND,
    [...workload({ minutes: 17, jitterMs: 40 })],
    [...workload({ minutes: 5, fullPrecision: true })],
    [],
  ]
  const bodies = batches.map((readings) => encodeReadingBatch({ ...HEAD, defs: [], readings }, hundredths))
  const answers = decoded(bodies)
  expect(answers).toHaveLength(batches.length)
  for (const [index, { readings, ...head }] of answers.entries()) {
    const sent = (batches[index] ?? []).toSorted((a, b) => a.channel - b.channel)
    expect(readings.map(([channel, at, , ...rest]) => [channel, at, ...rest])).toEqual(sent.map(told))
    expect(head).toMatchObject({ gw: HEAD.gw, epoch: HEAD.epoch, seq: HEAD.seq, prev: HEAD.prev })
  }
})
