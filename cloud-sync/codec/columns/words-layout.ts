import { QUALITIES, SyncError } from '../../contract/index.ts'
import type { Label } from './column.ts'
import { AT, TEXT_AT } from './contexts.ts'
import { malformed } from './malformed.ts'
import { codeSmall, codeTree } from './numbers.ts'
import type { BitCoder } from './range-coder.ts'

/** Flags of their own context; the number is part of the format. */
const FLAG = { allGood: 20, sameLabel: 21, hasReason: 22, sameText: 23, negative: 24 } as const
/** UTF-16 units of all texts of a blob together. */
const TEXT_UNITS_MAX = 1024 * 1024
/** Bytes of one bigint. */
const BIG_BYTES_MAX = 1024

/** Labels told so far, and how much text. */
export interface Dictionary {
  readonly labels: Label[]
  textUnits: number
}

/** Codes quality and reason of each reading: nothing where all are good, else runs of labels told once. */
export function codeLabels(
  coder: BitCoder,
  labels: Label[],
  { count, dictionary }: { count: number; dictionary: Dictionary },
): void {
  const [good] = dictionary.labels
  if (good === undefined) return
  const allGood = labels.every((label) => isSame(label, good)) ? 1 : 0
  if (coder.bit(AT.flags + FLAG.allGood, allGood) === 1) {
    for (let at = labels.length; at < count; at += 1) labels.push(good)
    return
  }
  let last = good
  for (let at = 0; at < count; at += 1) {
    const label = labels[at] ?? good
    if (coder.bit(AT.flags + FLAG.sameLabel, isSame(label, last) ? 1 : 0) === 0) {
      last = codeLabel(coder, label, dictionary)
    }
    labels[at] = last
  }
}

const isSame = (a: Label, b: Label): boolean => a.quality === b.quality && a.reason === b.reason

function codeLabel(coder: BitCoder, label: Label, dictionary: Dictionary): Label {
  const { labels } = dictionary
  const known = labels.findIndex((other) => isSame(other, label))
  const index = codeSmall(coder, AT.label, known < 0 ? labels.length : known)
  const told = labels[index]
  if (told !== undefined) return told
  if (index > labels.length) throw malformed('A label is not told yet.')
  const quality = QUALITIES[coder.even(2, QUALITIES.indexOf(label.quality))]
  if (quality === undefined) throw malformed('A quality is of no known kind.')
  const hasReason = coder.bit(AT.flags + FLAG.hasReason, label.reason === null ? 0 : 1) === 1
  const reason = hasReason ? codeUnits(coder, label.reason ?? '', dictionary) : null
  const fresh = { quality, reason }
  labels.push(fresh)
  return fresh
}

/** Codes a text; the one before it again costs next to nothing. */
export function codeText(
  coder: BitCoder,
  text: string,
  { before, dictionary }: { before: string; dictionary: Dictionary },
): string {
  if (coder.bit(AT.flags + FLAG.sameText, text === before ? 1 : 0) === 1) return before
  return codeUnits(coder, text, dictionary)
}

/** UTF-16 units, not UTF-8: any string comes back, unpaired surrogates too. */
function codeUnits(coder: BitCoder, text: string, dictionary: Dictionary): string {
  const length = codeSmall(coder, AT.textLength, text.length)
  dictionary.textUnits += length
  if (dictionary.textUnits > TEXT_UNITS_MAX) {
    throw coder.decoding
      ? malformed('The texts are too long.')
      : new SyncError('SYNC_PAYLOAD_TOO_LARGE', 'The texts are too long.')
  }
  const units: string[] = []
  for (let at = 0; at < length; at += 1) {
    const unit = text.charCodeAt(at)
    const high = codeTree(coder, TEXT_AT, { bits: 8, value: unit >> 8 })
    const low = codeTree(coder, TEXT_AT + 256, { bits: 8, value: unit & 255 })
    units.push(String.fromCharCode(high * 256 + low))
  }
  return units.join('')
}

/** Codes a bigint as its difference to the one before: these are counters. */
export function codeBig(coder: BitCoder, value: bigint, before: bigint): bigint {
  const difference = coder.decoding ? 0n : value - before
  const negative = coder.bit(AT.flags + FLAG.negative, difference < 0n ? 1 : 0) === 1
  const hex = (difference < 0n ? -difference : difference).toString(16)
  const digits = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  const length = codeSmall(coder, AT.bigLength, digits.length)
  if (length > BIG_BYTES_MAX) {
    if (coder.decoding) throw malformed('A number is out of range.')
    throw new RangeError('A number has more digits than a reading may have.')
  }
  const told = Buffer.alloc(length)
  for (let at = 0; at < length; at += 1) told[at] = coder.even(8, digits[at] ?? 0)
  const size = length === 0 ? 0n : BigInt(`0x${told.toString('hex')}`)
  return before + (negative ? -size : size)
}
