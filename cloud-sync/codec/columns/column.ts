import type { Quality, Resolution, StoredReading } from '../../contract/index.ts'
import { chooseFormat, type Format, highOf, lowOf, toInteger } from './formats.ts'
import { stepOfError } from './numbers.ts'
import { bestPredictor } from './predict.ts'
import { planTimes, type Times } from './times.ts'

/** The kind of each value; the position is the number in the bytes. A stray is a number off the column's grid. */
export const KIND = { number: 0, nothing: 1, text: 2, big: 3, stray: 4 } as const
export const KINDS_MAX = 4

/** Quality and reason of a reading. */
export interface Label {
  readonly quality: Quality
  readonly reason: string | null
}

/** One channel's readings, taken apart. */
export interface Column {
  channel: number
  times: Times
  kinds: number[]
  labels: Label[]
  format: Format
  predictor: number
  /** `stepOfError` of the mean error at the start. */
  errorStep: number
  /** Numbers as integers of `format`. */
  integers: number[]
  /** Lower halves where the format is `double`. */
  lows: number[]
  /** Upper and lower halves of numbers off the grid. */
  strays: { high: number; low: number }[]
  texts: string[]
  bigs: bigint[]
}

export const emptyColumn = (): Column => ({
  channel: 0,
  times: { at: [], period: 0, skips: [], offsets: [], predictor: 0, errorStep: 0 },
  kinds: [],
  labels: [],
  format: { kind: 'double' },
  predictor: 0,
  errorStep: 0,
  integers: [],
  lows: [],
  strays: [],
  texts: [],
  bigs: [],
})

/** Takes one channel's readings apart and chooses how each part is best told. */
export function planColumn(
  channel: number,
  readings: readonly StoredReading[],
  resolution: Resolution | null,
): Column {
  const column = emptyColumn()
  column.channel = channel
  column.times = planTimes(readings.map(({ takenAt }) => takenAt))
  const numbers: number[] = []
  for (const { value } of readings) if (typeof value === 'number') numbers.push(value)
  if (!numbers.every(Number.isFinite)) throw new RangeError('A value is not finite.')
  column.format = chooseFormat(numbers, resolution)
  for (const { value, quality, reason } of readings) {
    column.labels.push({ quality, reason })
    column.kinds.push(put(column, value))
  }
  const { predictor, error } = bestPredictor(column.integers)
  column.predictor = predictor
  column.errorStep = stepOfError(error)
  return column
}

function put(column: Column, value: StoredReading['value']): number {
  if (value === null) return KIND.nothing
  if (typeof value === 'number') return putNumber(column, value)
  if (typeof value === 'bigint') {
    column.bigs.push(value)
    return KIND.big
  }
  column.texts.push(value)
  return KIND.text
}

function putNumber(column: Column, value: number): number {
  const integer = toInteger(value, column.format)
  if (integer === undefined) {
    column.strays.push({ high: highOf(value), low: lowOf(value) })
    return KIND.stray
  }
  column.integers.push(integer)
  if (column.format.kind === 'double') column.lows.push(lowOf(value))
  return KIND.number
}
