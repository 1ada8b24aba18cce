import {
  classContext,
  classRow,
  FRACTIONS,
  mantissaContext,
  mantissaRow,
  NEARNESSES,
  SCALES,
  signContext,
} from './contexts.ts'
import { malformed } from './malformed.ts'
import { Predictor } from './predict.ts'
import type { BitCoder } from './range-coder.ts'

/** Bits that one `even` takes. */
const EVEN_BITS = 16
/** Classes of a natural: it is below 2^53. */
const CLASSES_MAX = 53
const TOP_BITS = 3
const ERROR_MAX = 2 ** 26

/** `count` (0 to 53) even bits. */
export function codeEven(coder: BitCoder, count: number, value: number): number {
  let coded = 0
  for (let left = count; left > 0; ) {
    const bits = Math.min(left, EVEN_BITS)
    left -= bits
    const unit = 2 ** left
    const part = coder.decoding ? 0 : Math.floor(value / unit) % 2 ** bits
    coded += coder.even(bits, part) * unit
  }
  return coded
}

/** A number below 2^bits, its bits in a tree of contexts from `at` on. */
export function codeTree(
  coder: BitCoder,
  at: number,
  { bits, value }: { bits: number; value: number },
): number {
  let node = 1
  for (let left = bits - 1; left >= 0; left -= 1) node = node * 2 + coder.bit(at + node, (value >> left) & 1)
  return node - 2 ** bits
}

/** A natural that is most often small: its class in unary. Below 2^53. */
export function codeSmall(coder: BitCoder, at: number, value: number): number {
  const wanted = classOf(value)
  let size = 0
  while (coder.bit(at + size, size < wanted ? 1 : 0) === 1) {
    size += 1
    if (size > CLASSES_MAX) throw malformed('A number is out of range.')
  }
  return codeMantissa(coder, size, value)
}

/** A natural of any size: its class in a tree of 6 bits. Below 2^53. */
export function codeLarge(coder: BitCoder, at: number, value: number): number {
  const size = codeTree(coder, at, { bits: 6, value: classOf(value) })
  if (size > CLASSES_MAX) throw malformed('A number is out of range.')
  return codeMantissa(coder, size, value)
}

/** An integer, its sign in an even bit; `code` is one of the two above. */
export function codeSigned(
  coder: BitCoder,
  code: (coder: BitCoder, at: number, value: number) => number,
  { at, value }: { at: number; value: number },
): number {
  const size = code(coder, at, Math.abs(value))
  if (size === 0) return 0
  return coder.even(1, value < 0 ? 1 : 0) === 1 ? -size : size
}

const codeMantissa = (coder: BitCoder, size: number, value: number): number =>
  2 ** size - 1 + codeEven(coder, size, value + 1 - 2 ** size)

/** Classes: 0 | 1 2 | 3 to 6 | 7 to 14 | … */
function classOf(value: number): number {
  const next = value + 1
  return next < 2 ** 31 ? 31 - Math.clz32(next) : 62 - Math.clz32(Math.floor(next / 2 ** 31))
}

/** Codes a column's integers after its first, each beside its prediction; |value| up to 2^51. */
export function codeIntegers(
  coder: BitCoder,
  values: number[],
  column: { set: number; count: number; predictor: number; error: number },
): void {
  const predictor = new Predictor(column.predictor, values[0] ?? 0, column.error)
  for (let at = 1; at < column.count; at += 1) {
    const value = codeBeside(coder, column.set, { predictor, value: values[at] ?? 0 })
    values[at] = value
    predictor.learn(value)
  }
}

/**
 * One integer beside its prediction p: on which side of p, then how many integers lie between. How far p is from the
 * nearest integer of that side tells much where errors are smaller than a unit.
 */
function codeBeside(
  coder: BitCoder,
  set: number,
  { predictor, value }: { predictor: Predictor; value: number },
): number {
  const { expected } = predictor
  const below = Math.floor(expected)
  const fraction = expected - below
  const { scale, shift } = scaleOf(predictor.error)
  const isAbove =
    coder.bit(signContext(set, scale, Math.floor(fraction * FRACTIONS)), value > below ? 1 : 0) === 1
  const distance = isAbove ? 1 - fraction : fraction
  const nearness = Math.min(NEARNESSES - 1, Math.floor(distance * NEARNESSES))
  const size = isAbove ? value - below - 1 : below - value
  const coded = codeSize(coder, set, { scale, shift, nearness: shift > 0 ? 0 : nearness, size })
  return isAbove ? below + 1 + coded : below - coded
}

interface Size {
  scale: number
  shift: number
  nearness: number
  size: number
}

function codeSize(coder: BitCoder, set: number, { scale, shift, nearness, size }: Size): number {
  const unit = 2 ** shift
  const quotient = shift === 0 ? size : Math.floor(size / unit)
  const wanted = coder.decoding ? 0 : classOf(quotient)
  const row = classRow(scale, nearness)
  let bits = 0
  while (coder.bit(classContext(set, row, bits), bits < wanted ? 1 : 0) === 1) {
    bits += 1
    if (bits + shift > CLASSES_MAX) throw malformed('A number is out of range.')
  }
  const coded = 2 ** bits - 1 + codeTopped(coder, set, { scale, bits, value: quotient + 1 - 2 ** bits })
  return shift === 0 ? coded : coded * unit + codeEven(coder, shift, size - quotient * unit)
}

/** The upper bits of a mantissa under contexts, the rest even. */
function codeTopped(
  coder: BitCoder,
  set: number,
  { scale, bits, value }: { scale: number; bits: number; value: number },
): number {
  const topBits = bits < TOP_BITS ? bits : TOP_BITS
  const row = mantissaRow(scale, bits)
  const restBits = bits - topBits
  const unit = 2 ** restBits
  const tops = coder.decoding ? 0 : Math.floor(value / unit)
  let top = 1
  for (let left = topBits - 1; left >= 0; left -= 1) {
    top = top * 2 + coder.bit(mantissaContext(set, row, top), (tops >> left) & 1)
  }
  const upper = top - 2 ** topBits
  return restBits === 0 ? upper : upper * unit + codeEven(coder, restBits, value - tops * unit)
}

/** Half octaves of the error in sixteenths of a unit: 0 to 61. */
export function stepOfError(error: number): number {
  const sixteenths = Math.floor(Math.min(error, ERROR_MAX) * 16) + 1
  const octave = 31 - Math.clz32(sixteenths)
  return 2 * octave + (octave === 0 ? 0 : (sixteenths >> (octave - 1)) & 1)
}

/** The step of an error, or the usual one where it is as near as chance allows. */
export const settledStep = (error: number, usual: number): number => {
  const step = stepOfError(error)
  return Math.abs(step - usual) <= 1 ? usual : step
}

/** Larger errors use the contexts of the two largest scales, with sizes shifted down. */
function scaleOf(error: number): { scale: number; shift: number } {
  const step = stepOfError(error)
  const shift = step < SCALES ? 0 : (step >> 1) - SCALES / 2 + 1
  return { scale: step - 2 * shift, shift }
}

/** An error step as it is, or as the difference to one before. */
export function codeErrorStep(
  coder: BitCoder,
  value: number,
  { before, at, stepAt }: { before: number | undefined; at: number; stepAt: number },
): number {
  if (before === undefined) return codeTree(coder, at, { bits: 6, value })
  const step = before + codeSigned(coder, codeSmall, { at: stepAt, value: value - before })
  if (step < 0 || step > 63) throw malformed('An error step is out of range.')
  return step
}
