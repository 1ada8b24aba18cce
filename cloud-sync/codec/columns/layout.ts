import { type Column, emptyColumn, KIND, KINDS_MAX } from './column.ts'
import { AT, BESIDE_AT, BESIDE_ROWS, errorOfStep, FIELD, VALUE_SET } from './contexts.ts'
import { DIGITS_MAX, FORMAT_KINDS, type Format, sameFormat, STEP_MAX } from './formats.ts'
import { malformed } from './malformed.ts'
import {
  codeErrorStep,
  codeEven,
  codeIntegers,
  codeLarge,
  codeSigned,
  codeSmall,
  codeTree,
  settledStep,
} from './numbers.ts'
import { bestPredictor } from './predict.ts'
import type { BitCoder } from './range-coder.ts'
import { codeTimes, type TimesBefore } from './times-layout.ts'
import { codeBig, codeLabels, codeText, type Dictionary } from './words-layout.ts'

/** Columns back to which one may refer. */
const REFERENCE_MAX = 7
/** Bits that another distance than last time must save. */
const REFERENCE_CHANGE_BITS = 4

/** Flags of their own context; the number is part of the format. */
const FLAG = { sameFormat: 0, allNumbers: 1, sameKind: 2, lowSame: 8 } as const

interface Progress {
  readonly done: Column[]
  readonly dictionary: Dictionary
  readonly times: TimesBefore
  reference: number
  readingsLeft: number
}

/**
 * Codes all columns: both ways in one function (see BitCoder). Channels ascend. When decoding, `columns` is filled.
 * Throws SYNC_MESSAGE_MALFORMED where more than `readingsMax` readings are claimed.
 */
export function codeColumns(coder: BitCoder, columns: Column[], readingsMax: number): void {
  const count = codeSmall(coder, AT.columns, columns.length)
  if (count > readingsMax) throw malformed('There are more columns than readings allowed.')
  const progress: Progress = {
    done: [],
    dictionary: { labels: [{ quality: 'good', reason: null }], textUnits: 0 },
    times: { last: undefined, firstStep: 0, run: 0, lastRun: 0 },
    reference: 0,
    readingsLeft: readingsMax,
  }
  for (let index = 0; index < count; index += 1) {
    const column = columns[index] ?? emptyColumn()
    columns[index] = column
    codeColumn(coder, column, progress)
    progress.done.push(column)
  }
}

function codeColumn(coder: BitCoder, column: Column, progress: Progress): void {
  const before = progress.done.at(-1)?.channel ?? 0
  column.channel = before + 1 + codeSmall(coder, AT.channel, column.channel - before - 1)
  if (!Number.isSafeInteger(column.channel)) throw malformed('A channel number is out of range.')
  codeTimes(coder, column, { before: progress.times, readingsMax: progress.readingsLeft })
  const count = column.times.at.length
  progress.readingsLeft -= count
  codeKinds(coder, column.kinds, count)
  codeLabels(coder, column.labels, { count, dictionary: progress.dictionary })
  codeNumbers(coder, column, progress)
  codeOthers(coder, column, progress.dictionary)
}

function codeKinds(coder: BitCoder, kinds: number[], count: number): void {
  const allNumbers = kinds.every((kind) => kind === KIND.number) ? 1 : 0
  if (coder.bit(AT.flags + FLAG.allNumbers, allNumbers) === 1) {
    for (let at = kinds.length; at < count; at += 1) kinds.push(KIND.number)
    return
  }
  let last: number = KIND.number
  for (let at = 0; at < count; at += 1) {
    const kind = kinds[at] ?? 0
    if (coder.bit(AT.flags + FLAG.sameKind + last, kind === last ? 1 : 0) === 0) {
      last = codeTree(coder, AT.kind, { bits: 3, value: kind })
      if (last > KINDS_MAX) throw malformed('A value is of no known kind.')
    }
    kinds[at] = last
  }
}

function codeNumbers(coder: BitCoder, column: Column, progress: Progress): void {
  const count = column.kinds.reduce((sum, kind) => sum + (kind === KIND.number ? 1 : 0), 0)
  if (count === 0) return
  const distance = codeTree(coder, AT.reference, { bits: 3, value: bestReference(column, progress) })
  progress.reference = distance
  const reference = distance === 0 ? undefined : progress.done.at(-distance)
  if (distance > 0 && reference === undefined) throw malformed('A column refers to none.')
  column.format = codeFormat(coder, column.format, reference)
  column.integers[0] = codeFirst(coder, column.integers[0] ?? 0, reference)
  if (count > 1) codeRest(coder, column, { count, reference })
  if (column.format.kind === 'double') codeLows(coder, column.lows, count)
}

/** A column's first number, beside the first of the column it refers to. */
function codeFirst(coder: BitCoder, first: number, reference: Column | undefined): number {
  if (reference === undefined) return codeSigned(coder, codeLarge, { at: AT.first, value: first })
  const beside = reference.integers[0] ?? 0
  // How far apart two columns begin goes with how much they vary.
  const row = Math.min(BESIDE_ROWS - 1, reference.errorStep >> 1)
  return beside + codeSigned(coder, codeLarge, { at: BESIDE_AT + row * FIELD, value: first - beside })
}

function codeRest(
  coder: BitCoder,
  column: Column,
  { count, reference }: { count: number; reference: Column | undefined },
): void {
  if (!coder.decoding && reference !== undefined) settle(column, reference)
  const predictorAt = AT.predictor + 8 * (reference?.predictor ?? 0)
  column.predictor = codeTree(coder, predictorAt, { bits: 3, value: column.predictor })
  column.errorStep = codeErrorStep(coder, column.errorStep, {
    before: reference?.errorStep,
    at: AT.scale,
    stepAt: AT.scaleStep,
  })
  const error = errorOfStep(column.errorStep)
  codeIntegers(coder, column.integers, { set: VALUE_SET, count, predictor: column.predictor, error })
}

/** Columns of a kind predict alike: what differs only by chance is told as before. */
function settle(column: Column, reference: Column): void {
  const { predictor, error } = bestPredictor(column.integers, reference.predictor)
  column.predictor = predictor
  column.errorStep = settledStep(error, reference.errorStep)
}

/** How many columns back the one stands whose format is the same and whose first number is nearest; 0 = none. */
function bestReference(column: Column, progress: Progress): number {
  let best = { distance: 0, bits: Infinity }
  for (let distance = 1; distance <= Math.min(REFERENCE_MAX, progress.done.length); distance += 1) {
    const other = progress.done.at(-distance)
    const first = other?.integers[0]
    if (other === undefined || first === undefined || !sameFormat(other.format, column.format)) continue
    const bits =
      Math.log2(1 + Math.abs(first - (column.integers[0] ?? 0))) +
      2 * Math.abs(other.errorStep - column.errorStep) +
      (distance === progress.reference ? 0 : REFERENCE_CHANGE_BITS)
    if (bits < best.bits) best = { distance, bits }
  }
  return best.distance
}

function codeFormat(coder: BitCoder, format: Format, reference: Column | undefined): Format {
  if (reference !== undefined) {
    const same = sameFormat(format, reference.format) ? 1 : 0
    if (coder.bit(AT.flags + FLAG.sameFormat, same) === 1) return reference.format
  }
  const kind = FORMAT_KINDS[codeTree(coder, AT.format, { bits: 2, value: FORMAT_KINDS.indexOf(format.kind) })]
  if (kind === undefined) throw malformed('A column has no known format.')
  if (kind !== 'grid') return { kind }
  const given = format.kind === 'grid' ? format : { step: 1, digits: 0 }
  const digits = codeTree(coder, AT.digits, { bits: 4, value: given.digits })
  const step = 1 + codeSmall(coder, AT.step, given.step - 1)
  if (digits > DIGITS_MAX || step > STEP_MAX) throw malformed('A resolution is out of range.')
  return { kind, step, digits }
}

/** The lower halves of full-precision doubles are noise; only a repeated one is told shorter. */
function codeLows(coder: BitCoder, lows: number[], count: number): void {
  let last = 0
  for (let at = 0; at < count; at += 1) {
    const low = lows[at] ?? 0
    if (coder.bit(AT.flags + FLAG.lowSame, low === last ? 1 : 0) === 0) last = codeEven(coder, 32, low)
    lows[at] = last
  }
}

function codeOthers(coder: BitCoder, column: Column, dictionary: Dictionary): void {
  const next = { text: 0, big: 0, stray: 0 }
  for (const kind of column.kinds) {
    if (kind === KIND.text) {
      const before = column.texts[next.text - 1] ?? ''
      const value = column.texts[next.text] ?? ''
      column.texts[next.text++] = codeText(coder, value, { before, dictionary })
    } else if (kind === KIND.big) {
      const before = column.bigs[next.big - 1] ?? 0n
      column.bigs[next.big] = codeBig(coder, column.bigs[next.big] ?? 0n, before)
      next.big += 1
    } else if (kind === KIND.stray) {
      const stray = column.strays[next.stray] ?? { high: 0, low: 0 }
      column.strays[next.stray++] = {
        high: codeEven(coder, 32, stray.high),
        low: codeEven(coder, 32, stray.low),
      }
    }
  }
}
