import { type Framing, rtu } from '../modbus/index.ts'

/** A request that a device heard, and where it ended among the bytes. */
export interface HeardRequest {
  readonly unit: number
  readonly pdu: Uint8Array
  readonly frame: Uint8Array
  readonly end: number
}

const COLON = 0x3a
const LF = 0x0a
/** Functions 15 and 16 name the length of their data in this byte. */
const COUNT_AT = 6
const SHORT_FRAME_BYTES = 8
const RTU_FRAME_MAX = 256

/** Length of the RTU request that may begin at `at`; undefined where its length is not yet there. */
function rtuLength(rx: Uint8Array, at: number): number | undefined {
  const fn = rx[at + 1]
  if (fn === undefined) return undefined
  if (fn !== 15 && fn !== 16) return SHORT_FRAME_BYTES
  const count = rx[at + COUNT_AT]
  return count === undefined ? undefined : 9 + count
}

function findRtu(rx: Uint8Array, mine: (unit: number) => boolean): HeardRequest | undefined {
  for (let at = 0; at + SHORT_FRAME_BYTES <= rx.length; at += 1) {
    const length = mine(rx[at] ?? 0) ? rtuLength(rx, at) : undefined
    if (length === undefined || length > RTU_FRAME_MAX || at + length > rx.length) continue
    const frame = rx.slice(at, at + length)
    const content = rtu.unwrap(frame)
    if (content !== undefined) return { ...content, frame, end: at + length }
  }
  return undefined
}

function findAscii(
  framing: Framing,
  rx: Uint8Array,
  mine: (unit: number) => boolean,
): HeardRequest | undefined {
  for (let from = 0; ; ) {
    const end = rx.indexOf(LF, from) + 1
    if (end === 0) return undefined
    const start = rx.subarray(from, end).lastIndexOf(COLON)
    const frame = rx.slice(from + Math.max(0, start), end)
    const content = framing.unwrap(frame)
    if (content !== undefined && mine(content.unit)) return { ...content, frame, end }
    from = end
  }
}

/** The first request with a right checksum anywhere in what was heard, to a unit that is `mine`. */
export const findRequest = (
  framing: Framing,
  rx: Uint8Array,
  mine: (unit: number) => boolean,
): HeardRequest | undefined => (framing === rtu ? findRtu(rx, mine) : findAscii(framing, rx, mine))
