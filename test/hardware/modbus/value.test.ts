import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  BYTE_ORDERS,
  type ByteOrder,
  decodeValue,
  encodeValue,
  registersOf,
  type ValueSpec,
  type ValueType,
} from '../../../hardware/modbus/index.ts'

const spec = (type: ValueType, over: Partial<ValueSpec> = {}): ValueSpec => ({
  type,
  order: 'ABCD',
  bits: null,
  byte: 'low',
  length: 0,
  ...over,
})
const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
const int = (bits: number): fc.Arbitrary<number> =>
  fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 })
const nat = (bits: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 2 ** bits - 1 })
/** As decode gives them: a number where it is exact, else a bigint. */
const big = (min: bigint, max: bigint): fc.Arbitrary<number | bigint> =>
  fc.bigInt({ min, max }).map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value))

const ANY: Record<Exclude<ValueType, 'string'>, fc.Arbitrary<number | bigint>> = {
  bool: fc.constantFrom(0, 1),
  uint8: nat(8),
  int8: int(8),
  uint16: nat(16),
  int16: int(16),
  uint32: nat(32),
  int32: int(32),
  uint64: big(0n, 2n ** 64n - 1n),
  int64: big(-(2n ** 63n), 2n ** 63n - 1n),
  float32: fc.float({ noNaN: true }),
  float64: fc.double({ noNaN: true }),
  bcd16: fc.integer({ min: 0, max: 9999 }),
  bcd32: fc.integer({ min: 0, max: 99_999_999 }),
  bcd64: fc.integer({ min: 0, max: 9_999_999_999_999 }),
}

const everyTypeAndOrder = (Object.keys(ANY) as (keyof typeof ANY)[]).flatMap((type) =>
  BYTE_ORDERS.map((order): [typeof type, ByteOrder] => [type, order]),
)

describe('a value', () => {
  test.for(everyTypeAndOrder)('of type %s in order %s comes back from its registers', ([type, order]) => {
    fc.assert(
      fc.property(ANY[type], fc.constantFrom<'high' | 'low'>('high', 'low'), (value, byte) => {
        const one = spec(type, { order, byte })
        const wire = encodeValue(one, value)
        expect(wire.length).toBe(type === 'bool' ? 1 : registersOf(one) * 2)
        expect(decodeValue(one, wire)).toBe(value)
      }),
    )
  })

  test.for(BYTE_ORDERS)('of type string in order %s comes back', (order) => {
    const text = fc
      .string({ unit: fc.constantFrom('A', 'z', '0', '9', ' ', '-', '_', 'ä', 'ß'), maxLength: 20 })
      .map((s) => s.trimEnd())
    fc.assert(
      fc.property(text, (value) => {
        const one = spec('string', { order, length: 20 })
        expect(decodeValue(one, encodeValue(one, value))).toBe(value)
      }),
    )
  })

  // 10802.12 Ohm is printed in the GEOKON 3810A manual; the other orders follow from the definition.
  const vectors: [ValueType, ByteOrder, string, number | bigint | null][] = [
    ['float32', 'CDAB', 'C87C 4628', 10802.12109375],
    ['float32', 'ABCD', '4628 C87C', 10802.12109375],
    ['float32', 'BADC', '2846 7CC8', 10802.12109375],
    ['float32', 'DCBA', '7CC8 2846', 10802.12109375],
    ['uint32', 'ABCD', '0102 0304', 0x01020304],
    ['uint32', 'CDAB', '0304 0102', 0x01020304],
    ['uint32', 'BADC', '0201 0403', 0x01020304],
    ['uint32', 'DCBA', '0403 0201', 0x01020304],
    ['uint64', 'ABCD', '0102 0304 0506 0708', 0x0102030405060708n],
    ['uint64', 'CDAB', '0708 0506 0304 0102', 0x0102030405060708n],
    ['uint64', 'BADC', '0201 0403 0605 0807', 0x0102030405060708n],
    ['uint64', 'DCBA', '0807 0605 0403 0201', 0x0102030405060708n],
    ['uint64', 'ABCD', 'FFFF FFFF FFFF FFFF', 18446744073709551615n],
    ['int64', 'ABCD', 'FFFF FFFF FFFF FFFF', -1],
    ['int64', 'ABCD', '8000 0000 0000 0000', -9223372036854775808n],
    ['uint64', 'ABCD', '001F FFFF FFFF FFFF', Number.MAX_SAFE_INTEGER],
    ['uint64', 'ABCD', '0020 0000 0000 0000', 9007199254740992n],
    ['int16', 'ABCD', 'FF33', -205],
    ['int16', 'BADC', '33FF', -205],
    ['int8', 'ABCD', '00FE', -2],
    ['bcd16', 'ABCD', '1234', 1234],
    ['bcd32', 'CDAB', '5678 1234', 12345678],
    ['bcd16', 'ABCD', '12A4', null],
  ]
  test.for(vectors)('%s %s of %s is %s', ([type, order, wire, value]) => {
    expect(decodeValue(spec(type, { order }), bytes(wire))).toBe(value)
  })

  test('that is a bit field is cut out, and put back without touching its neighbours', () => {
    const middle = spec('uint16', { bits: [4, 7] })
    expect(decodeValue(middle, bytes('ABCD'))).toBe(0xc)
    expect(encodeValue(middle, 0x5, bytes('ABCD'))).toEqual(bytes('AB5D'))
    expect(encodeValue(spec('uint8', { byte: 'high' }), 0x11, bytes('ABCD'))).toEqual(bytes('11CD'))
    expect(decodeValue(spec('uint64', { bits: [63, 63] }), bytes('8000000000000000'))).toBe(1)
  })

  test('never throws, whatever the registers hold', () => {
    const types = fc.constantFrom<ValueType>('string', ...everyTypeAndOrder.map(([type]) => type))
    fc.assert(
      fc.property(
        types,
        fc.constantFrom(...BYTE_ORDERS),
        fc.infiniteStream(fc.nat(255)),
        (type, order, stream) => {
          const one = spec(type, { order, length: 5 })
          const wire = Uint8Array.from({ length: registersOf(one) * 2 }, () => Number(stream.next().value))
          decodeValue(one, wire)
        },
      ),
    )
  })
})
