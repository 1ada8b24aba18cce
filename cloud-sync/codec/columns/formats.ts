import type { Resolution } from '../../contract/index.ts'
import { malformed } from './malformed.ts'

/** How a column's numbers become integers: a decimal grid, or the bits of a float or a double in numeric order. */
export type Format =
  | { readonly kind: 'grid'; readonly step: number; readonly digits: number }
  | { readonly kind: 'float' }
  | { readonly kind: 'double' }

/** The position is the number in the bytes. */
export const FORMAT_KINDS = ['grid', 'float', 'double'] as const
/** Predictions are exact up to here, and so is every sum of one and its error. */
const INTEGER_MAX = 2 ** 51
export const DIGITS_MAX = 12
export const STEP_MAX = 1_000_000
/** Digits after the point that are looked for where a channel declares none. */
const DIGITS_TRIED = 9
const FLOAT: Format = { kind: 'float' }
const DOUBLE: Format = { kind: 'double' }
/** A declared grid is kept while at most one value of this many is off it. */
const STRAYS_ONE_OF = 8

const scratch = new DataView(new ArrayBuffer(8))

export const sameFormat = (a: Format, b: Format): boolean =>
  a.kind === 'grid' && b.kind === 'grid' ? a.step === b.step && a.digits === b.digits : a.kind === b.kind

/** The number on the grid, undefined where it is off it: then its decimal would not come back as the same double. */
export function toGrid(value: number, { step, digits }: Resolution): number | undefined {
  // An integer has no -0.
  if (Object.is(value, -0)) return undefined
  const scale = 10 ** digits
  const whole = Math.round((value * scale) / step)
  if (Math.abs(whole) > INTEGER_MAX || Math.abs(whole * step) > Number.MAX_SAFE_INTEGER) return undefined
  return Object.is((whole * step) / scale, value) ? whole : undefined
}

/** Undefined where the number is off the grid; a double always has its bits (the upper 32). */
export function toInteger(value: number, format: Format): number | undefined {
  switch (format.kind) {
    case 'grid':
      return toGrid(value, format)
    case 'float':
      if (!Object.is(Math.fround(value), value)) return undefined
      scratch.setFloat32(0, value)
      return inOrder(scratch.getInt32(0))
    case 'double':
      scratch.setFloat64(0, value)
      return inOrder(scratch.getInt32(0))
  }
}

/** The inverse; `low` is the lower half of a double. */
export function toNumber(integer: number, format: Format, low: number): number {
  switch (format.kind) {
    case 'grid':
      return (integer * format.step) / 10 ** format.digits
    case 'float':
      scratch.setInt32(0, outOfOrder(integer))
      return finite(scratch.getFloat32(0))
    case 'double':
      return doubleOf(outOfOrder(integer), low)
  }
}

/** The lower 32 bits of a double. */
export function lowOf(value: number): number {
  scratch.setFloat64(0, value)
  return scratch.getUint32(4)
}

export function doubleOf(high: number, low: number): number {
  scratch.setInt32(0, high)
  scratch.setUint32(4, low)
  return finite(scratch.getFloat64(0))
}

export function highOf(value: number): number {
  scratch.setFloat64(0, value)
  return scratch.getUint32(0)
}

/** The declared grid, else the coarsest decimal grid that holds all, else floats, else doubles. */
export function chooseFormat(numbers: readonly number[], declared: Resolution | null): Format {
  if (declared !== null) {
    const strays = numbers.reduce((sum, value) => sum + (toGrid(value, declared) === undefined ? 1 : 0), 0)
    if (strays * STRAYS_ONE_OF <= numbers.length) return { kind: 'grid', ...declared }
  }
  for (let digits = 0; digits <= DIGITS_TRIED; digits += 1) {
    const grid = { step: 1, digits }
    if (numbers.every((value) => toGrid(value, grid) !== undefined)) return { kind: 'grid', ...grid }
  }
  return numbers.every((value) => Object.is(Math.fround(value), value)) ? FLOAT : DOUBLE
}

/** Sign and magnitude to two's complement, so that near numbers have near integers. */
const inOrder = (bits: number): number => (bits >= 0 ? bits : -(bits & 0x7fffffff) - 1)
const outOfOrder = (integer: number): number => (integer >= 0 ? integer : (-integer - 1) | 0x80000000)

function finite(value: number): number {
  if (!Number.isFinite(value)) throw malformed('A value is not finite.')
  return value
}
