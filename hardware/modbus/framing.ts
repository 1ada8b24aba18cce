import type { Match } from '../protocol.ts'
import { crc16, lrc } from './checksum.ts'
import type { Expected } from './pdu.ts'

const EXCEPTION_BIT = 0x80
const EXCEPTION_PDU_BYTES = 2
/** Exception codes are 1 to 11 (Modbus Application Protocol V1.1b3, 7); some makers use a few beyond. */
const EXCEPTION_CODE_MAX = 0x20
/** A line that sent this much without an answer in it talks nonsense; the longest frame has 513 bytes. */
const NOISE_BYTES_MAX = 2048
const RTU_BYTES_MIN = 5
const COLON = 0x3a
const CR = 0x0d
const LF = 0x0a

/** How unit and PDU become bytes on the line, and how an answer is found among the bytes that came. */
export interface Framing {
  wrap(unit: number, pdu: Uint8Array): Uint8Array
  /** Unit and PDU of one whole frame; undefined where the checksum or the form is wrong. */
  unwrap(frame: Uint8Array): { readonly unit: number; readonly pdu: Uint8Array } | undefined
  match(expected: Expected): (rx: Uint8Array) => Match
  /** Bytes on the line for a PDU of this length. */
  frameBytes(pduBytes: number): number
}

/** One place where an answer might begin: it does (and ends there), it may (bytes missing), it is damaged, it does not. */
type Attempt = { readonly end: number } | { readonly missing: number } | 'damaged' | 'no'

/**
 * Tries every position, so a header in noise that claims a length never swallows the answer behind it. `crc` is said
 * only where a whole answer with a wrong checksum is there and nothing else may still become one.
 */
function search(rx: Uint8Array, attempt: (at: number) => Attempt, shortest: number): Match {
  let missing = Number.POSITIVE_INFINITY
  let damaged = false
  for (let at = 0; at < rx.length; at += 1) {
    const found = attempt(at)
    if (found === 'no') continue
    if (found === 'damaged') damaged = true
    else if ('end' in found) return { frame: [at, found.end] }
    else missing = Math.min(missing, found.missing)
  }
  if (Number.isFinite(missing)) return { need: missing }
  if (damaged) return { reject: 'crc' }
  return rx.length > NOISE_BYTES_MAX ? { reject: 'noise' } : { need: shortest }
}

/** Length of the PDU that begins with these bytes if it may be the expected answer or its exception, else 0. */
function claimedPduBytes(expected: Expected, byteAt: (index: number) => number | undefined): number {
  const fn = byteAt(0)
  if (fn === (expected.fn | EXCEPTION_BIT)) {
    const code = byteAt(1)
    return code === undefined || (code > 0 && code <= EXCEPTION_CODE_MAX) ? EXCEPTION_PDU_BYTES : 0
  }
  if (fn !== undefined && fn !== expected.fn) return 0
  for (const [index, known] of expected.head.entries()) {
    const byte = byteAt(1 + index)
    if (byte !== undefined && byte !== known) return 0
  }
  // With the function code still to come the shorter of the two answers is what to wait for.
  return fn === undefined ? Math.min(EXCEPTION_PDU_BYTES, expected.pduBytes) : expected.pduBytes
}

function tryRtu(rx: Uint8Array, expected: Expected, at: number): Attempt {
  if (rx[at] !== expected.unit) return 'no'
  const pduBytes = claimedPduBytes(expected, (index) => rx[at + 1 + index])
  if (pduBytes === 0) return 'no'
  const end = at + pduBytes + 3
  if (end > rx.length) return { missing: end - rx.length }
  const crc = crc16(rx, at, end - 2)
  return rx[end - 2] === (crc & 0xff) && rx[end - 1] === crc >> 8 ? { end } : 'damaged'
}

/** Modbus RTU: unit, PDU, CRC-16 low byte first (Modbus over Serial Line V1.02, 2.5.1). */
export const rtu: Framing = {
  wrap(unit, pdu) {
    const frame = new Uint8Array(pdu.length + 3)
    frame[0] = unit
    frame.set(pdu, 1)
    const crc = crc16(frame, 0, pdu.length + 1)
    frame[pdu.length + 1] = crc & 0xff
    frame[pdu.length + 2] = crc >> 8
    return frame
  },
  unwrap(frame) {
    if (frame.length < 4) return undefined
    const crc = crc16(frame, 0, frame.length - 2)
    if (frame.at(-2) !== (crc & 0xff) || frame.at(-1) !== crc >> 8) return undefined
    return { unit: frame[0] ?? 0, pdu: frame.subarray(1, -2) }
  },
  match: (expected) => (rx) => search(rx, (at) => tryRtu(rx, expected, at), RTU_BYTES_MIN),
  frameBytes: (pduBytes) => pduBytes + 3,
}

const HEX = '0123456789ABCDEF'
const HEX_VALUE = new Map(Array.from(HEX, (digit, value) => [digit.charCodeAt(0), value]))

/** Two capital hex digits at `at` as one byte; undefined where they are not there or are something else (2.5.2). */
function hexByte(bytes: Uint8Array, at: number): number | undefined {
  const high = HEX_VALUE.get(bytes[at] ?? 0)
  const low = HEX_VALUE.get(bytes[at + 1] ?? 0)
  return high === undefined || low === undefined ? undefined : high * 16 + low
}

/** Unit, PDU and LRC of the frame that begins at `at` and is `content` bytes long; undefined where a digit is wrong. */
function asciiContent(rx: Uint8Array, at: number, content: number): Uint8Array | undefined {
  const bytes = new Uint8Array(content)
  for (let index = 0; index < content; index += 1) {
    const byte = hexByte(rx, at + 1 + index * 2)
    if (byte === undefined) return undefined
    bytes[index] = byte
  }
  return bytes
}

/** True where some character between the colon and `end` cannot be part of a frame, so that none begins here. */
function strangeBefore(rx: Uint8Array, at: number, end: number): boolean {
  for (let index = at + 1; index < Math.min(end, rx.length); index += 1) {
    if (!HEX_VALUE.has(rx[index] ?? 0)) return true
  }
  return false
}

function tryAscii(rx: Uint8Array, expected: Expected, at: number): Attempt {
  if (rx[at] !== COLON) return 'no'
  const available = (rx.length - at - 1) >> 1
  const byteAt = (index: number): number | undefined =>
    index < available ? hexByte(rx, at + 1 + index * 2) : undefined
  const unit = byteAt(0)
  if (available > 0 && unit !== expected.unit) return 'no'
  const pduBytes = claimedPduBytes(expected, (index) => byteAt(index + 1))
  if (pduBytes === 0) return 'no'
  const digitsEnd = at + 1 + (pduBytes + 2) * 2
  if (strangeBefore(rx, at, digitsEnd)) return 'damaged'
  if (digitsEnd + 2 > rx.length) return { missing: digitsEnd + 2 - rx.length }
  const content = asciiContent(rx, at, pduBytes + 2)
  const whole = content !== undefined && lrc(content) === 0
  return whole && rx[digitsEnd] === CR && rx[digitsEnd + 1] === LF ? { end: digitsEnd + 2 } : 'damaged'
}

const ASCII_BYTES_MIN = 11

/** Modbus ASCII: a colon, hex digits of unit, PDU and LRC, carriage return and line feed (2.5.2). */
export const ascii: Framing = {
  wrap(unit, pdu) {
    const content = Uint8Array.of(unit, ...pdu)
    const digits = [...content, lrc(content)].map(
      (byte) => `${HEX.charAt(byte >> 4)}${HEX.charAt(byte & 15)}`,
    )
    return new TextEncoder().encode(`:${digits.join('')}\r\n`)
  },
  unwrap(frame) {
    const whole = frame[0] === COLON && frame.at(-2) === CR && frame.at(-1) === LF && frame.length % 2 === 1
    const content = whole ? asciiContent(frame, 0, (frame.length - 3) / 2) : undefined
    if (content === undefined || content.length < 3 || lrc(content) !== 0) return undefined
    return { unit: content[0] ?? 0, pdu: content.subarray(1, -1) }
  },
  match: (expected) => (rx) => search(rx, (at) => tryAscii(rx, expected, at), ASCII_BYTES_MIN),
  frameBytes: (pduBytes) => (pduBytes + 2) * 2 + 3,
}
