import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crc16 } from '../../../hardware/modbus/index.ts'
import { dissect } from '../../../hardware/tools/dissect.ts'

const frame = (...bytes: number[]): number[] => {
  const crc = crc16(Uint8Array.from(bytes))
  return [...bytes, crc & 0xff, crc >> 8]
}
const REQUEST = frame(2, 3, 1, 2, 0, 2)
const ANSWER = frame(2, 3, 4, 0xc8, 0x7c, 0x46, 0x28)

describe('what a listener makes of the bytes between two silences', () => {
  test.for([
    { what: 'a request', bytes: REQUEST, role: 'request', text: '2 from 0x0102' },
    { what: 'its answer', bytes: ANSWER, role: 'answer', text: '4 bytes' },
    { what: 'an exception', bytes: frame(2, 0x83, 2), role: 'exception', text: 'exception 2' },
    { what: 'a trigger to all', bytes: frame(0, 6, 1, 0x18, 0, 1), role: 'either', text: '0x0001 to 0x0118' },
    {
      what: 'a write of two registers',
      bytes: frame(1, 16, 0, 1, 0, 2, 4, 0, 10, 1, 2),
      role: 'request',
      text: '2 to 0x0001',
    },
    { what: 'its confirmation', bytes: frame(1, 16, 0, 1, 0, 2), role: 'answer', text: '2 at 0x0001' },
    { what: 'a function of the maker', bytes: frame(1, 0x41, 9, 9, 9), role: 'unknown', text: '7 bytes' },
  ])('$what: $role, $text', ({ bytes, role, text }) => {
    expect(dissect(Uint8Array.from(bytes))).toMatchObject([{ frame: { unit: bytes[0], role, text } }])
  })

  test('a request and its answer without a pause are two frames, noise between them a piece of its own', () => {
    const pieces = dissect(Uint8Array.from([0, ...REQUEST, 0xff, 0xfe, ...ANSWER, 7]))
    expect(pieces.map(({ frame: found }) => found?.role ?? null)).toEqual([
      null,
      'request',
      null,
      'answer',
      null,
    ])
  })

  test('a damaged header that claims a length does not swallow the frame behind it', () => {
    const pieces = dissect(Uint8Array.from([2, 3, 200, ...ANSWER]))
    expect(pieces.map(({ frame: found }) => found?.role ?? null)).toEqual([null, 'answer'])
  })

  test('no byte is lost or told twice, whatever was heard', () => {
    const part = fc.oneof(fc.constant(REQUEST), fc.constant(ANSWER), fc.array(fc.nat(255), { maxLength: 20 }))
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        const bytes = Uint8Array.from(parts.flat())
        const told = dissect(bytes).flatMap((piece) => [...piece.bytes])
        expect(told).toEqual([...bytes])
      }),
    )
  })
})
