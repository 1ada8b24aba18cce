/** The four tables of a Modbus device. */
export const TABLES = ['coil', 'discrete', 'holding', 'input'] as const
export type Table = (typeof TABLES)[number]

/** Most registers one read may ask for (Modbus Application Protocol V1.1b3, 6.3). */
export const READ_REGISTERS_MAX = 125
/** Most coils or discrete inputs one read may ask for (6.1). */
export const READ_BITS_MAX = 2000
/** Most registers one write may carry (6.12). */
export const WRITE_REGISTERS_MAX = 123
/** Most coils one write may carry (6.11). */
export const WRITE_BITS_MAX = 1968

const READ_FUNCTION = { coil: 1, discrete: 2, holding: 3, input: 4 } as const satisfies Record<Table, number>
const EXCEPTION_BIT = 0x80

export type Request =
  | { readonly fn: 1 | 2 | 3 | 4; readonly address: number; readonly count: number }
  | { readonly fn: 5; readonly address: number; readonly on: boolean }
  | { readonly fn: 6; readonly address: number; readonly value: number }
  | { readonly fn: 15; readonly address: number; readonly values: readonly boolean[] }
  | { readonly fn: 16; readonly address: number; readonly values: readonly number[] }

/** What the answer to a request must begin with, and how long it is; framers search for exactly this. */
export interface Expected {
  readonly unit: number
  readonly fn: number
  /** Bytes after the function code that are known before the answer comes. */
  readonly head: Uint8Array
  /** Length of the whole answer from the function code on, without checksum. */
  readonly pduBytes: number
}

export const isBitTable = (table: Table): boolean => table === 'coil' || table === 'discrete'

/** A read of `count` bits or registers. */
export function readRequest(table: Table, address: number, count: number): Request {
  return { fn: READ_FUNCTION[table], address, count }
}

const word = (value: number): [number, number] => [(value >> 8) & 0xff, value & 0xff]

/** Bits packed eight to a byte, the first in the lowest place (6.1). */
export function packBits(bits: readonly boolean[]): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(bits.length / 8))
  for (const [at, on] of bits.entries()) if (on) bytes[at >> 3] = (bytes[at >> 3] ?? 0) | (1 << (at & 7))
  return bytes
}

/** The request from its function code on; unit and checksum are the framing's. */
export function encodeRequest(request: Request): Uint8Array {
  const start = [request.fn, ...word(request.address)]
  switch (request.fn) {
    case 1:
    case 2:
    case 3:
    case 4:
      return Uint8Array.from([...start, ...word(request.count)])
    case 5:
      return Uint8Array.from([...start, ...word(request.on ? 0xff00 : 0)])
    case 6:
      return Uint8Array.from([...start, ...word(request.value)])
    case 15: {
      const packed = packBits(request.values)
      return Uint8Array.from([...start, ...word(request.values.length), packed.length, ...packed])
    }
    case 16: {
      const data = request.values.flatMap(word)
      return Uint8Array.from([...start, ...word(request.values.length), data.length, ...data])
    }
  }
}

/** What a device that did as asked will answer. A write is answered with its own first five bytes. */
export function expectedAnswer(unit: number, request: Request): Expected {
  const pdu = encodeRequest(request)
  switch (request.fn) {
    case 1:
    case 2: {
      const bytes = Math.ceil(request.count / 8)
      return { unit, fn: request.fn, head: Uint8Array.of(bytes), pduBytes: 2 + bytes }
    }
    case 3:
    case 4:
      return {
        unit,
        fn: request.fn,
        head: Uint8Array.of(request.count * 2),
        pduBytes: 2 + request.count * 2,
      }
    case 5:
    case 6:
    case 15:
    case 16:
      return { unit, fn: request.fn, head: pdu.subarray(1, 5), pduBytes: 5 }
  }
}

export type Answer =
  | { readonly kind: 'data'; readonly data: Uint8Array }
  | { readonly kind: 'exception'; readonly code: number }
  | { readonly kind: 'foreign' }

/** Reads an answer's PDU against what was expected; `foreign` where it answers something else. Never throws. */
export function parseAnswer(expected: Expected, pdu: Uint8Array): Answer {
  if (pdu.length === 2 && pdu[0] === (expected.fn | EXCEPTION_BIT)) {
    return { kind: 'exception', code: pdu[1] ?? 0 }
  }
  const known = expected.head.every((byte, at) => pdu[1 + at] === byte)
  if (pdu.length !== expected.pduBytes || pdu[0] !== expected.fn || !known) return { kind: 'foreign' }
  return { kind: 'data', data: pdu.subarray(1 + expected.head.length) }
}
