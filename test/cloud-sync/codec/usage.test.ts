import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeRecord,
  decodeUsageBatch,
  encodeUsageBatch,
  generateKeyPair,
  sealRecord,
  signingKey,
  signMessage,
  verifyChain,
} from '../../../cloud-sync/codec/index.ts'
import {
  CLOCK_STATES,
  METERS,
  RECORD_KINDS,
  type RegisterEnd,
  type SealedRecord,
  shareOf,
  SyncError,
  UsageRecord,
  ZERO_HASH,
} from '../../../cloud-sync/contract/index.ts'

const plain = fc.stringMatching(/^[a-z0-9-]{1,64}$/)
const hex = (digits: number): fc.Arbitrary<string> =>
  fc.string({
    unit: fc.constantFrom(...Array.from('0123456789abcdef')),
    minLength: digits,
    maxLength: digits,
  })
const natural = fc.maxSafeNat()
const register = fc.record({
  meter: fc.constantFrom(...METERS),
  subject: fc.oneof(
    fc.constantFrom('gateway', 'link:wwan0'),
    fc.tuple(plain, plain).map(([device, sensor]) => `sensor:${device}/${sensor}`),
  ),
  gen: natural,
  end: fc.bigInt({ min: 0n, max: 2n ** 128n }),
  custodian: fc.option(plain),
  workspace: fc.option(plain),
  billable: fc.boolean(),
  q: fc.nat({ max: 511 }),
})
const name = fc.string({ minLength: 1, maxLength: 16 })
const link = fc.record({
  iface: name,
  ifindex: natural,
  iccid: fc.option(name),
  mccmnc: fc.option(fc.stringMatching(/^\d{5,6}$/)),
  roaming: fc.boolean(),
  rat: fc.option(name),
})
const totals = fc.record({
  records: natural,
  sensors: natural,
  totals: fc.array(
    fc.record({ meter: fc.constantFrom(...METERS), quantity: fc.bigInt({ min: 0n, max: 2n ** 128n }) }),
    { maxLength: METERS.length },
  ),
})
const share = fc
  .tuple(fc.option(hex(32)), fc.uniqueArray(natural, { minLength: 3, maxLength: 3 }))
  .map(([epoch, numbers]) => {
    const [from = 0, to = 1, of = 1] = numbers.toSorted((one, other) => one - other)
    return { epoch, from, to, of }
  })
/** Parts that a record of this kind may have. */
const partsFor = (kind: string, { src, close, share }: Record<string, unknown>): Record<string, unknown> => ({
  ...(src !== undefined && { src }),
  ...(close !== undefined && kind === 'day_close' && { close }),
  ...(share !== undefined && kind === 'day_assign' && { share }),
})
const anyRecord = fc
  .record({
    v: fc.constant(1),
    gw: fc.stringMatching(/^[A-Za-z0-9-]{1,64}$/),
    epoch: hex(32),
    seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    prev: hex(64),
    kind: fc.constantFrom(...RECORD_KINDS),
    org: plain,
    aclVersion: natural,
    registers: fc.array(register, { maxLength: 20 }),
    bootId: fc.string({ unit: 'binary', maxLength: 32 }),
    time: fc.record({
      monoStart: natural,
      monoEnd: natural,
      wallStart: fc.maxSafeInteger(),
      wallEnd: fc.maxSafeInteger(),
      clock: fc.constantFrom(...CLOCK_STATES),
      maxErrMs: natural,
      tz: fc.string({ unit: 'grapheme', maxLength: 20 }),
      day: fc.option(fc.constantFrom('2026-11-21', '0000-00-00', '9999-99-99')),
    }),
    event: fc.option(fc.string({ maxLength: 64 })),
    corrects: fc.option(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
    sw: fc.string({ maxLength: 32 }),
    cfg: fc.string({ maxLength: 64 }),
    parts: fc.record({ src: link, close: totals, share }, { requiredKeys: [] }),
  })
  .map(({ parts, ...record }) => ({ ...record, ...partsFor(record.kind, parts) }))
  .filter((record) => UsageRecord.safeParse(record).success)
  .map((record) => UsageRecord.parse(record))

test('any record comes back exactly, registers beyond 2^64 too', () => {
  fc.assert(
    fc.property(anyRecord, (record) => {
      expect(decodeRecord(sealRecord(record).bytes)).toEqual(record)
    }),
  )
})

/** What decoding says about hostile bytes: a value, or SYNC_MESSAGE_MALFORMED and nothing else. */
function survives(decode: () => unknown): void {
  try {
    decode()
  } catch (error) {
    expect(error).toBeInstanceOf(SyncError)
    expect((error as SyncError).code).toBe('SYNC_MESSAGE_MALFORMED')
  }
}

test('damaged and random bytes give SYNC_MESSAGE_MALFORMED or another record, never a crash', () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(anyRecord, damage, fc.nat(), (record, changes, cut) => {
      const bytes = sealRecord(record).bytes.slice()
      for (const [at, value] of changes) bytes[at % bytes.length] = value
      survives(() => {
        const record = decodeRecord(bytes)
        expect(UsageRecord.parse(record)).toEqual(record)
      })
      expect(() => decodeRecord(sealRecord(record).bytes.subarray(0, cut % bytes.length))).toThrow(SyncError)
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      survives(() => decodeRecord(bytes))
      survives(() => decodeUsageBatch(bytes))
    }),
  )
})

test.for([
  ['a subject', 'sensor:piezometer-0/main', 'sensor:piezometer-0 main'],
  ['a custodian', 'ben', 'Ben'],
  ['a workspace', 'north-dam', 'north dam'],
])('%s that is none is refused wherever a register names it', ([, name = '', wrong = '']) => {
  const text = Buffer.from(dayRecord(1, ZERO_HASH).bytes).toString('latin1')
  expect(text).toContain(name)
  expect(() => decodeRecord(Buffer.from(text.replace(name, wrong), 'latin1'))).toThrow(SyncError)
})

test('a custodian is no subject, and a register of no meter or of unknown quality is refused', () => {
  const [register] = dayRecord(1, ZERO_HASH).record.registers
  const { record } = dayRecord(1, ZERO_HASH)
  const one = sealRecord({ ...record, registers: [{ ...(register as RegisterEnd), q: 511 }] }).bytes
  // At the end: flags, meter, subject, custodian, workspace, quality in two bytes, end.
  const changed = (fromEnd: number, value: number): Uint8Array => one.with(one.length - fromEnd, value)
  expect(decodeRecord(one).registers).toHaveLength(1)
  for (const wrong of [changed(8, METERS.length), changed(7, 2), changed(7, 0), changed(3, 4)])
    expect(() => decodeRecord(wrong)).toThrow(SyncError)
})

test('shares of a quantity sum to it exactly, however its time is cut', () => {
  const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 999 }), { maxLength: 8 })
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 80n }), cuts, (quantity, inner) => {
      const edges = [0, ...inner.toSorted((one, other) => one - other), 1000]
      const parts = edges.slice(1).map((to, index) => {
        const from = edges[index] ?? 0
        return shareOf(quantity, { epoch: null, from, to, of: 1000 })
      })
      expect(parts.every((part) => part >= 0n)).toBe(true)
      expect(parts.reduce((sum, part) => sum + part, 0n)).toBe(quantity)
    }),
  )
})

test('parts in another order, twice, unknown, or of another kind of record are refused', () => {
  const src = { iface: 'wwan0', ifindex: 4, iccid: null, mccmnc: '26201', roaming: true, rat: 'lte' }
  const close = { records: 1, sensors: 0, totals: [] }
  const plain = dayRecord(1, ZERO_HASH).record
  const bytes = sealRecord({ ...plain, src, close }).bytes
  const bare = sealRecord(plain).bytes.length
  const [sourcePart, closePart] = [bytes.slice(bare, -4), bytes.slice(-4)]
  const tail = (...parts: Uint8Array[]): Uint8Array => Buffer.concat([bytes.slice(0, bare), ...parts])
  expect(decodeRecord(tail(sourcePart, closePart))).toMatchObject({ src, close })
  for (const wrong of [
    [closePart, sourcePart],
    [closePart, closePart],
    [Uint8Array.of(9)],
    [Uint8Array.of(1)],
  ])
    expect(() => decodeRecord(tail(...wrong))).toThrow(SyncError)
  expect(() => sealRecord({ ...plain, kind: 'interval', close })).toThrow(SyncError)
  expect(() => sealRecord({ ...plain, share: { epoch: null, from: 0, to: 1, of: 1 } })).toThrow(SyncError)
})

const SENSORS = 20
const DAILY_METERS = [
  ['sensor.readings', 1440],
  ['sensor.values', 4320],
  ['sensor.payload_bytes', 17_280],
  ['sensor.active_day', 1],
] as const
/** One day of one organisation: every sensor with the four meters a serial sensor has. */
function dayRecord(seq: number, prev: string): SealedRecord {
  const registers = Array.from({ length: SENSORS }, (_, sensor) =>
    DAILY_METERS.map(([meter, daily]) => ({
      meter,
      subject: `sensor:piezometer-${String(sensor)}/main`,
      gen: 0,
      end: BigInt(seq * daily + sensor),
      custodian: sensor % 2 === 0 ? 'ana' : 'ben',
      workspace: 'north-dam',
      billable: true,
      q: 0,
    })),
  ).flat()
  return sealRecord(
    UsageRecord.parse({
      v: 1,
      gw: 'GW-000123',
      epoch: '5f'.repeat(16),
      seq,
      prev,
      kind: 'day_close',
      org: 'acme',
      aclVersion: 12,
      registers,
      bootId: '4e9fbc1c-7f1c-4f0a-8a34-7b1d1d6d2f6a',
      time: {
        monoStart: (seq - 1) * 86_400_000,
        monoEnd: seq * 86_400_000,
        wallStart: 1_790_000_000_000 + (seq - 1) * 86_400_000,
        wallEnd: 1_790_000_000_000 + seq * 86_400_000,
        clock: 'synced',
        maxErrMs: 20,
        tz: 'Europe/Vienna',
        day: '2026-11-21',
      },
      event: null,
      corrects: null,
      sw: '0.1.0',
      cfg: '3f2a9c1e',
    }),
  )
}

type Records = readonly [SealedRecord, ...SealedRecord[]]
function days(): readonly [SealedRecord, SealedRecord, SealedRecord, SealedRecord] {
  const a = dayRecord(1, ZERO_HASH)
  const b = dayRecord(2, a.hash)
  const c = dayRecord(3, b.hash)
  return [a, b, c, dayRecord(4, c.hash)]
}
const batchOf = (records: Records, gw = records[0].record.gw): Uint8Array =>
  encodeUsageBatch({
    gw,
    epoch: records[0].record.epoch,
    first: records[0].record.seq,
    records: records.map((record) => record.bytes),
  })
const [a, b, c, d] = days()

test('a sensor-day costs at most 100 bytes on the wire at 20 sensors with daily records', () => {
  const key = signingKey(generateKeyPair().privateKey)
  const message = signMessage({ kind: 'usage', recipient: key.keyId, body: batchOf([a]), key })
  const bytesEach = message.length / SENSORS
  process.stdout.write(`usage: ${bytesEach.toFixed(1)} bytes a sensor-day, one signed message a day\n`)
  expect(bytesEach).toBeLessThanOrEqual(100)
})

test('a batch gives back every record with its bytes verbatim', () => {
  const batch = decodeUsageBatch(batchOf([b, c, d]))
  expect(batch).toMatchObject({ v: 1, gw: 'GW-000123', first: 2, last: 4 })
  expect(batch.records.map(({ bytes }) => Buffer.from(bytes))).toEqual(
    [b, c, d].map(({ bytes }) => Buffer.from(bytes)),
  )
  expect(batch.records.map(({ hash }) => hash)).toEqual([b.hash, c.hash, d.hash])
  expect(verifyChain(batch.records, a.hash)).toEqual({ ok: true, head: d.hash })
})

test('a batch with a hole, of another gateway, or with nothing in it is refused', () => {
  expect(() => decodeUsageBatch(batchOf([a, c]))).toThrow(SyncError)
  expect(() => decodeUsageBatch(batchOf([a], UsageRecord.shape.gw.parse('GW-2')))).toThrow(SyncError)
  const { gw, epoch } = a.record
  expect(() => encodeUsageBatch({ gw, epoch, first: 1, records: [] })).toThrow(SyncError)
})

test('a batch that would unpack to a gigabyte is refused while it is still small', () => {
  const bomb = deflateRawSync(new Uint8Array(64 * 1024 * 1024))
  const head = batchOf([a]).subarray(0, 1 + 10 + 16 + 1 + 1)
  expect(bomb.length).toBeLessThan(70_000)
  expect(() => decodeUsageBatch(Buffer.concat([head, bomb]))).toThrow('The packed part is damaged.')
})

test('a chain with a wrong start, a missing, a swapped or a changed record does not verify', () => {
  expect(verifyChain([a, b, c, d], ZERO_HASH)).toEqual({ ok: true, head: d.hash })
  expect(verifyChain([], a.hash)).toEqual({ ok: true, head: a.hash })
  expect(verifyChain([a, b], b.hash)).toEqual({ ok: false, because: 'prev', seq: 1 })
  expect(verifyChain([a, c, d], ZERO_HASH)).toEqual({ ok: false, because: 'seq', seq: 3 })
  expect(verifyChain([b, a], a.hash)).toEqual({ ok: false, because: 'seq', seq: 1 })
  const forged = b.bytes.slice()
  forged[forged.length - 1] = 0
  expect(verifyChain([a, { ...b, bytes: forged }, c], ZERO_HASH)).toEqual({
    ok: false,
    because: 'hash',
    seq: 2,
  })
})
