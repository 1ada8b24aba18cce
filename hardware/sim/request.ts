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

function findRtu(rx: Uint8Array): HeardRequest | undefined {
  for (let at = 0; at + SHORT_FRAME_BYTES <= rx.length; at += 1) {
    const length = rtuLength(rx, at)
    if (length === undefined || length > RTU_FRAME_MAX || at + length > rx.length) continue
    const frame = rx.slice(at, at + length)
    const content = rtu.unwrap(frame)
    if (content !== undefined) return { ...content, frame, end: at + length }
  }
  return undefined
}

function findAscii(framing: Framing, rx: Uint8Array): HeardRequest | undefined {
  const end = rx.indexOf(LF) + 1
  if (end === 0) return undefined
  const start = rx.subarray(0, end).lastIndexOf(COLON)
  const frame = rx.slice(Math.max(0, start), end)
  const content = framing.unwrap(frame)
  return content === undefined ? findAsciiBehind(framing, rx, end) : { ...content, frame, end }
}

function findAsciiBehind(framing: Framing, rx: Uint8Array, skipped: number): HeardRequest | undefined {
  const found = findAscii(framing, rx.subarray(skipped))
  return found && { ...found, end: found.end + skipped }
}

/** The first request with a right checksum anywhere in what was heard; to whom it goes is the caller's question. */
export const findRequest = (framing: Framing, rx: Uint8Array): HeardRequest | undefined =>
  framing === rtu ? findRtu(rx) : findAscii(framing, rx)
