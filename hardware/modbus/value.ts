import type { Value } from '../reading.ts'

/** How a value lies in registers. `bool` is a coil or a discrete input. */
export const VALUE_TYPES = [
  'bool',
  'uint8',
  'int8',
  'uint16',
  'int16',
  'uint32',
  'int32',
  'uint64',
  'int64',
  'float32',
  'float64',
  'bcd16',
  'bcd32',
  'bcd64',
  'string',
] as const
export type ValueType = (typeof VALUE_TYPES)[number]

/**
 * Order of a value's bytes on the wire, A the most significant. ABCD: as the specification has it. CDAB: words
 * swapped. BADC: bytes swapped within each word. DCBA: both. A 64-bit value follows the same four rules
 * (ABCDEFGH, GHEFCDAB, BADCFEHG, HGFEDCBA); one register knows AB and BA only.
 */
export const BYTE_ORDERS = ['ABCD', 'CDAB', 'BADC', 'DCBA'] as const
export type ByteOrder = (typeof BYTE_ORDERS)[number]

export interface ValueSpec {
  readonly type: ValueType
  readonly order: ByteOrder
  /** Lowest and highest bit of a field within an unsigned integer, bit 0 the least significant. */
  readonly bits: readonly [low: number, high: number] | null
  /** Which half of its register an 8-bit value is in. */
  readonly byte: 'high' | 'low'
  /** Bytes of a string, two a register. */
  readonly length: number
}

const BYTES: Record<Exclude<ValueType, 'string' | 'bool'>, number> = {
  uint8: 2,
  int8: 2,
  uint16: 2,
  int16: 2,
  uint32: 4,
  int32: 4,
  uint64: 8,
  int64: 8,
  float32: 4,
  float64: 8,
  bcd16: 2,
  bcd32: 4,
  bcd64: 8,
}

/** Registers a value occupies; a coil counts as one of its table. */
export function registersOf(spec: Pick<ValueSpec, 'type' | 'length'>): number {
  if (spec.type === 'bool') return 1
  return spec.type === 'string' ? Math.ceil(spec.length / 2) : BYTES[spec.type] / 2
}

/** Turns wire order into most significant first, and back: each of the four is its own inverse. */
function reorder(bytes: Uint8Array, order: ByteOrder): Uint8Array {
  const out = new Uint8Array(bytes.length)
  const swapWords = order === 'CDAB' || order === 'DCBA'
  const swapBytes = order === 'BADC' || order === 'DCBA'
  for (let at = 0; at < bytes.length; at += 1) {
    const word = at >> 1
    const from = (swapWords ? bytes.length / 2 - 1 - word : word) * 2 + (swapBytes ? 1 - (at & 1) : at & 1)
    out[at] = bytes[from] ?? 0
  }
  return out
}

/** A number while it is exact, a bigint beyond 2^53. */
const exact = (value: bigint): number | bigint => {
  const small = Number(value)
  return Number.isSafeInteger(small) ? small : value
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function decodeBcd(bytes: Uint8Array): number | bigint | null {
  let value = 0n
  for (const byte of bytes) {
    if (byte >> 4 > 9 || (byte & 15) > 9) return null
    value = value * 100n + BigInt((byte >> 4) * 10 + (byte & 15))
  }
  return exact(value)
}

function field(value: bigint, bits: readonly [number, number] | null): number | bigint {
  if (bits === null) return exact(value)
  const [low, high] = bits
  return exact((value >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n))
}

/** ISO 8859-1 up to the first NUL, without the blanks that pad it. */
function decodeText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  const used = end < 0 ? bytes : bytes.subarray(0, end)
  return String.fromCharCode(...used).trimEnd()
}

const halfByte = (spec: ValueSpec, bytes: Uint8Array): number =>
  (spec.byte === 'high' ? bytes[0] : bytes[1]) ?? 0

type Decoder = (spec: ValueSpec, bytes: Uint8Array, view: DataView) => Value

const DECODERS: Record<ValueType, Decoder> = {
  bool: (_, bytes) => (bytes[0] ?? 0) & 1,
  uint8: (spec, bytes) => field(BigInt(halfByte(spec, bytes)), spec.bits),
  int8: (spec, bytes) => (halfByte(spec, bytes) << 24) >> 24,
  uint16: (spec, _, view) => field(BigInt(view.getUint16(0)), spec.bits),
  int16: (_, __, view) => view.getInt16(0),
  uint32: (spec, _, view) => field(BigInt(view.getUint32(0)), spec.bits),
  int32: (_, __, view) => view.getInt32(0),
  uint64: (spec, _, view) => field(view.getBigUint64(0), spec.bits),
  int64: (_, __, view) => exact(view.getBigInt64(0)),
  float32: (_, __, view) => view.getFloat32(0),
  float64: (_, __, view) => view.getFloat64(0),
  bcd16: (_, bytes) => decodeBcd(bytes),
  bcd32: (_, bytes) => decodeBcd(bytes),
  bcd64: (_, bytes) => decodeBcd(bytes),
  string: (spec, bytes) => decodeText(bytes.subarray(0, spec.length)),
}

/**
 * Reads one value from its registers as they came. null where the bytes are no value of the type (a digit above 9
 * in BCD). NaN and infinities of floats come back as they are.
 */
export function decodeValue(spec: ValueSpec, wire: Uint8Array): Value {
  const bytes = spec.type === 'bool' ? wire : reorder(wire, spec.order)
  return DECODERS[spec.type](spec, bytes, viewOf(bytes))
}

function encodeBcd(value: bigint, bytes: number): Uint8Array {
  const digits = value
    .toString()
    .padStart(bytes * 2, '0')
    .slice(-bytes * 2)
  return Uint8Array.from({ length: bytes }, (_, at) => Number.parseInt(digits.slice(at * 2, at * 2 + 2), 16))
}

function encodeText(text: string, length: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(length / 2) * 2)
  for (let at = 0; at < Math.min(text.length, length); at += 1) bytes[at] = text.charCodeAt(at) & 0xff
  return bytes
}

/** Lowest bit and width of the part of the registers that an integer fills. */
function placeIn(spec: ValueSpec, size: number): { shift: number; width: number } {
  const eight = spec.type === 'uint8' || spec.type === 'int8'
  const base = eight && spec.byte === 'high' ? 8 : 0
  if (spec.bits !== null) return { shift: base + spec.bits[0], width: spec.bits[1] - spec.bits[0] + 1 }
  return { shift: base, width: eight ? 8 : size * 8 }
}

/** The integer put into what the registers held before, most significant byte first. */
function encodeInteger(value: bigint, spec: ValueSpec, before: Uint8Array): Uint8Array {
  let held = 0n
  for (const byte of before) held = (held << 8n) | BigInt(byte)
  const { shift, width } = placeIn(spec, before.length)
  const mask = (1n << BigInt(width)) - 1n
  const whole = (held & ~(mask << BigInt(shift))) | ((value & mask) << BigInt(shift))
  return Uint8Array.from({ length: before.length }, (_, at) =>
    Number((whole >> BigInt(8 * (before.length - 1 - at))) & 0xffn),
  )
}

function encodeFloat(value: number, bytes: number): Uint8Array {
  const out = new Uint8Array(bytes)
  if (bytes === 4) viewOf(out).setFloat32(0, value)
  else viewOf(out).setFloat64(0, value)
  return out
}

const asInteger = (value: number | bigint): bigint =>
  typeof value === 'bigint' ? value : BigInt(Number.isFinite(value) ? Math.round(value) : 0)

/**
 * The registers of a value, as they travel. A field or an 8-bit value leaves the other bits of `before` (what the
 * registers held) as they are. Integers outside their width wrap, as they do in a device.
 */
export function encodeValue(
  spec: ValueSpec,
  value: number | bigint | string,
  before?: Uint8Array,
): Uint8Array {
  if (spec.type === 'bool') return Uint8Array.of(Number(value) === 0 ? 0 : 1)
  const size = registersOf(spec) * 2
  if (spec.type === 'string') return reorder(encodeText(String(value), spec.length), spec.order)
  const number = typeof value === 'string' ? Number(value) : value
  if (spec.type === 'float32' || spec.type === 'float64') {
    return reorder(encodeFloat(Number(number), size), spec.order)
  }
  if (spec.type.startsWith('bcd')) return reorder(encodeBcd(asInteger(number), size), spec.order)
  const held = before === undefined ? new Uint8Array(size) : reorder(before, spec.order)
  return reorder(encodeInteger(asInteger(number), spec, held), spec.order)
}
