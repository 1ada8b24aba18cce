import { crc16 } from '../modbus/index.ts'

const FRAME_BYTES_MIN = 4
const FRAME_BYTES_MAX = 256
const EXCEPTION_BIT = 0x80
const FUNCTIONS: Readonly<Record<number, string>> = {
  1: 'read coils',
  2: 'read discrete inputs',
  3: 'read holding registers',
  4: 'read input registers',
  5: 'write one coil',
  6: 'write one register',
  15: 'write coils',
  16: 'write registers',
}

/** A Modbus RTU frame as someone who only listens can read it. */
export interface DissectedFrame {
  readonly unit: number
  readonly fn: number
  readonly name: string
  /** The request to write one register and its confirmation are the same bytes: then `either`. */
  readonly role: 'request' | 'answer' | 'exception' | 'either' | 'unknown'
  /** What it says, e.g. `2 from 0x0102`, `4 bytes`, `exception 2`. */
  readonly text: string
}

/** A stretch of bytes: a frame with a right checksum, or what lay between. */
export interface Piece {
  readonly bytes: Uint8Array
  readonly frame: DissectedFrame | null
}

/** Cuts what was heard between two silences into frames; gives up one byte at a time where none begins. */
export function dissect(bytes: Uint8Array): Piece[] {
  const pieces: Piece[] = []
  let noiseFrom = 0
  let at = 0
  while (at < bytes.length) {
    const length = frameLength(bytes, at)
    if (length === 0) {
      at += 1
      continue
    }
    if (at > noiseFrom) pieces.push({ bytes: bytes.subarray(noiseFrom, at), frame: null })
    const frame = bytes.subarray(at, at + length)
    pieces.push({ bytes: frame, frame: describe(frame) })
    at += length
    noiseFrom = at
  }
  if (at > noiseFrom) pieces.push({ bytes: bytes.subarray(noiseFrom), frame: null })
  return pieces
}

/** Length of the frame that begins at `at`, 0 = none. */
function frameLength(bytes: Uint8Array, at: number): number {
  const left = bytes.length - at
  const fits = (length: number): boolean =>
    length >= FRAME_BYTES_MIN &&
    length <= Math.min(left, FRAME_BYTES_MAX) &&
    crc16(bytes, at, at + length - 2) === (bytes[at + length - 2] ?? 0) + (bytes[at + length - 1] ?? 0) * 256
  const found = claimedLengths(bytes, at).find(fits)
  if (found !== undefined) return found
  // Of a function we do not know only a whole stretch is believed: by chance a checksum fits one length in 65,536.
  return at === 0 && fits(left) ? left : 0
}

/** A function that we know has few lengths. */
function claimedLengths(bytes: Uint8Array, at: number): number[] {
  const fn = bytes[at + 1] ?? 0
  if ((fn & EXCEPTION_BIT) !== 0) return [5]
  if (FUNCTIONS[fn] === undefined) return []
  return fn <= 4 ? [8, 5 + (bytes[at + 2] ?? 0)] : fn <= 6 ? [8] : [8, 9 + (bytes[at + 6] ?? 0)]
}

function describe(frame: Uint8Array): DissectedFrame {
  const [unit = 0, code = 0] = frame
  const fn = code & ~EXCEPTION_BIT
  const name = FUNCTIONS[fn] ?? `function ${fn}`
  if ((code & EXCEPTION_BIT) !== 0) {
    return { unit, fn, name, role: 'exception', text: `exception ${frame[2] ?? 0}` }
  }
  return { unit, fn, name, ...content(fn, frame) }
}

function content(fn: number, frame: Uint8Array): Pick<DissectedFrame, 'role' | 'text'> {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  const place = (index: number): string => `0x${view.getUint16(index).toString(16).padStart(4, '0')}`
  if (FUNCTIONS[fn] === undefined) return { role: 'unknown', text: `${frame.length} bytes` }
  if (fn <= 4) {
    // An answer of three bytes is as long as a request; only of coils can there be one.
    return frame.length === 8 && (fn > 2 || frame[2] !== 3)
      ? { role: 'request', text: `${view.getUint16(4)} from ${place(2)}` }
      : { role: 'answer', text: `${frame.length - 5} bytes` }
  }
  if (fn <= 6) return { role: 'either', text: `${place(4)} to ${place(2)}` }
  return frame.length === 8
    ? { role: 'answer', text: `${view.getUint16(4)} at ${place(2)}` }
    : { role: 'request', text: `${view.getUint16(4)} to ${place(2)}` }
}
