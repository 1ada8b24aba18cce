import { expect, test } from 'vitest'
import {
  decodeColumns,
  decodeReadingBatch,
  decodeRecord,
  encodeColumns,
  encodeReadingBatch,
  sealRecord,
  sha256,
} from '../../../cloud-sync/codec/index.ts'
import { type StoredReading, UsageRecord } from '../../../cloud-sync/contract/index.ts'
import { workload } from '../../support/workload.ts'

/**
 * Bytes that were made once. Gateways in the field keep such bytes for months: they must be read for ever, and the
 * same input must give the same bytes on every machine. Where one of these fails, the format needs a new version.
 */
const RECORD = UsageRecord.parse({
  v: 1,
  gw: 'GW-000123',
  epoch: '5f'.repeat(16),
  seq: 300,
  prev: 'ab'.repeat(32),
  kind: 'interval',
  org: 'acme',
  aclVersion: 12,
  registers: [
    {
      meter: 'sensor.readings',
      subject: 'sensor:tilt-north/main',
      gen: 0,
      end: 2n ** 70n,
      custodian: 'ana',
      workspace: null,
      billable: true,
      q: 0,
    },
    {
      meter: 'cell.alloc',
      subject: 'link:wwan0',
      gen: 2,
      end: 1_000_000n,
      custodian: null,
      workspace: 'dam',
      billable: false,
      q: 257,
    },
  ],
  bootId: 'boot-1',
  time: {
    monoStart: 1000,
    monoEnd: 3_601_000,
    wallStart: 1_790_000_000_000,
    wallEnd: 1_790_003_600_000,
    clock: 'holdover',
    maxErrMs: 40,
    tz: 'Europe/Vienna',
    day: '2026-11-21',
  },
  event: 'clock_step',
  corrects: 7,
  sw: '0.1.0',
  cfg: '3f2a9c1e',
})
const RECORD_HEX = [
  '010947572d3030303132335f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5fac02abababababababababababababababab',
  'abababababababababababababababab000461636d650c06626f6f742d31e80780bab70380b083c5986880eaba',
  'c8986801280d4575726f70652f5669656e6e6182d2d409010a636c6f636b5f737465700705302e312e30083366',
  '326139633165041673656e736f723a74696c742d6e6f7274682f6d61696e03616e610a6c696e6b3a7777616e30',
  '0364616d020b00010280808080808080808080013e08030200048102c0843d',
].join('')

test('a usage record has the bytes it always had', () => {
  expect(Buffer.from(sealRecord(RECORD).bytes).toString('hex')).toBe(RECORD_HEX)
  expect(decodeRecord(Buffer.from(RECORD_HEX, 'hex'))).toEqual(RECORD)
})

const PARTS = {
  src: {
    iface: 'wwan0',
    ifindex: 7,
    iccid: '8943051000000000001',
    mccmnc: '26201',
    roaming: true,
    rat: 'lte',
  },
  close: { records: 24, sensors: 3, totals: [{ meter: 'sensor.readings', quantity: 25_920n }] },
  share: { epoch: 'a7'.repeat(16), from: 1_800_000, to: 3_600_000, of: 3_600_000 },
}
const PARTS_HEX = {
  src: '01057777616e30070f1338393433303531303030303030303030303031053236323031036c7465',
  close: '0218030100c0ca01',
  share: '0301a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7c0ee6d80dddb0180dddb01',
}

test.for([
  ['interval', 'src'],
  ['day_close', 'close'],
  ['day_assign', 'share'],
] as const)('a record of kind %s with %s ends as it always did', ([kind, part]) => {
  const record = UsageRecord.parse({ ...RECORD, kind, [part]: PARTS[part] })
  const { bytes } = sealRecord(record)
  const bare = sealRecord(UsageRecord.parse({ ...RECORD, kind })).bytes.length
  expect(Buffer.from(bytes.slice(bare)).toString('hex')).toBe(PARTS_HEX[part])
  expect(decodeRecord(bytes)).toEqual(record)
})

const good = { quality: 'good', reason: null } as const
const READINGS: StoredReading[] = [
  { channel: 1, takenAt: 1_790_000_000_000, value: 21.53, ...good },
  { channel: 1, takenAt: 1_790_000_060_012, value: 21.55, ...good },
  { channel: 1, takenAt: 1_790_000_120_003, value: null, quality: 'bad', reason: 'timeout' },
  { channel: 1, takenAt: 1_790_000_300_020, value: 21.5, quality: 'uncertain', reason: 'late' },
  { channel: 2, takenAt: 1_790_000_000_000, value: 2n ** 64n, ...good },
  { channel: 2, takenAt: 1_790_000_060_012, value: 2n ** 64n + 5n, ...good },
  { channel: 7, takenAt: 1_790_000_000_350, value: 'ok ✓', ...good },
  { channel: 9, takenAt: 1_790_000_000_350, value: Math.PI, ...good },
  { channel: 9, takenAt: 1_790_000_060_350, value: -0, ...good },
]
const READINGS_HEX = [
  '012fd53a0c4506c0161a9b55863c5ca1f087b1b1659ffc800b1711179545404a70d87f9c3b4851577c70e7a400',
  '000000000002734beeb23c62def4d62d8e2a3b624032ad8217f1fe32d673c60659530843991cd479bd0000',
].join('')
const hundredths = { step: 1, digits: 2 }

test('columns have the bytes they always had', () => {
  const blob = encodeColumns(READINGS, (channel) => (channel === 1 ? hundredths : null))
  expect(Buffer.from(blob).toString('hex')).toBe(READINGS_HEX)
  expect(decodeColumns(Buffer.from(READINGS_HEX, 'hex'), READINGS.length)).toEqual(READINGS)
})

test('a batch of the common workload has the bytes it always had', () => {
  const readings = [...workload({ minutes: 17, jitterMs: 40 })]
  const batch = { v: 1, gw: 'GW-000123', epoch: '5f'.repeat(16), seq: 2, prev: 'ab'.repeat(32) } as const
  const body = encodeReadingBatch({ ...batch, defs: [], readings }, () => hundredths)
  expect(sha256(body)).toBe('8ad474a50f7a7aa4a3cb5457fcf4b073df55b83882b4b8c9473f6ee1ac66e27f')
  expect(decodeReadingBatch(body).readings).toHaveLength(1020)
})
