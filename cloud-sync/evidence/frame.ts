import { type Hash, ZERO_HASH } from '../contract/index.ts'
import { sha256 } from '../codec/index.ts'
import { LINE_BYTES_MAX } from './lines.ts'

const HASH_LENGTH = ZERO_HASH.length
const NEWLINE = 0x0a
const SPACE = 0x20

/**
 * The running hash of a file: SHA-256 over the hash before (32 raw bytes, zeros at first) and the bytes of the line's
 * JSON. Each line begins with it, so that a changed, moved or missing line shows where it is.
 */
const runningHash = (before: Hash, json: Uint8Array): Hash =>
  sha256(Buffer.concat([Buffer.from(before, 'hex'), json]))

/** A line as it stands in the file: hash, space, JSON, newline. */
export function frameLine(before: Hash, value: object): { readonly text: string; readonly hash: Hash } {
  const json = JSON.stringify(value)
  const hash = runningHash(before, Buffer.from(json))
  return { text: `${hash} ${json}\n`, hash }
}

/** `isIntact`: the line is what was written after all that stands before it. */
export interface Frame {
  readonly json: Uint8Array
  readonly hash: Hash
  readonly isIntact: boolean
}

/** Undefined where the line is too short to be one. `line` is without its newline. */
export function readFrame(before: Hash, line: Uint8Array): Frame | undefined {
  if (line.length <= HASH_LENGTH + 1) return undefined
  const given = Buffer.from(line.subarray(0, HASH_LENGTH)).toString('latin1')
  const json = line.subarray(HASH_LENGTH + 1)
  const hash = runningHash(before, json)
  return { json, hash, isIntact: given === hash && line[HASH_LENGTH] === SPACE }
}

/** A line without its newline; `isWhole`: it had one. */
export interface RawLine {
  readonly bytes: Uint8Array
  readonly isWhole: boolean
}

/** Cuts a file into lines. What is longer than any line comes as one that is not whole, and nothing after it. */
export async function* linesIn(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<RawLine> {
  let rest: Uint8Array[] = []
  let held = 0
  for await (const chunk of chunks) {
    let from = 0
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      yield { bytes: joined(rest, chunk.subarray(from, at)), isWhole: true }
      rest = []
      held = 0
      from = at + 1
    }
    rest.push(Uint8Array.from(chunk.subarray(from)))
    held += chunk.length - from
    if (held > LINE_BYTES_MAX) break
  }
  if (held > 0) yield { bytes: joined(rest, new Uint8Array()), isWhole: false }
}

const joined = (parts: readonly Uint8Array[], last: Uint8Array): Uint8Array =>
  parts.length === 0 ? last : Buffer.concat([...parts, last])
