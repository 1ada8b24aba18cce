import type { Column } from './column.ts'
import { AT, errorOfStep, TIME_SET } from './contexts.ts'
import { malformed } from './malformed.ts'
import {
  codeErrorStep,
  codeIntegers,
  codeLarge,
  codeSigned,
  codeSmall,
  codeTree,
  settledStep,
} from './numbers.ts'
import { bestPredictor } from './predict.ts'
import type { BitCoder } from './range-coder.ts'
import { TIME_MAX, type Times, timesFrom } from './times.ts'

/** Flags of their own context; the number is part of the format. */
const FLAG = { samePeriod: 16, skipped: 17 } as const
/** Columns in a row with the same times are counted up to here. */
const RUN_MAX = 7

/** What was told of times before. */
export interface TimesBefore {
  last: Times | undefined
  /** From the first time of the column before last to that of the last. */
  firstStep: number
  /** Columns in a row with the same times now, and in the row before: the channels of one sensor. */
  run: number
  lastRun: number
}

/** Codes when a column's readings were taken; channels of one sensor share their times. */
export function codeTimes(
  coder: BitCoder,
  column: Column,
  { before, readingsMax }: { before: TimesBefore; readingsMax: number },
): void {
  if (before.last !== undefined) {
    const same = sameTimes(column.times, before.last) ? 1 : 0
    if (coder.bit(AT.sameTimes + before.run * (RUN_MAX + 1) + before.lastRun, same) === 1) {
      if (before.last.at.length > readingsMax) throw malformed('There are more readings than allowed.')
      column.times = before.last
      before.run = Math.min(before.run + 1, RUN_MAX)
      return
    }
  }
  codeOwnTimes(coder, column.times, { before, readingsMax })
  before.lastRun = before.run
  before.run = 0
  const first = column.times.at[0] ?? 0
  before.firstStep = before.last === undefined ? 0 : first - (before.last.at[0] ?? 0)
  before.last = column.times
}

function codeOwnTimes(
  coder: BitCoder,
  times: Times,
  { before, readingsMax }: { before: TimesBefore; readingsMax: number },
): void {
  const { last } = before
  const count = codeCount(coder, times.at.length, last)
  if (count < 1 || count > readingsMax) throw malformed('There are more readings than allowed.')
  const expected = (last?.at[0] ?? 0) + before.firstStep
  const off = codeSigned(coder, codeLarge, { at: AT.firstTime, value: (times.at[0] ?? 0) - expected })
  if (count > 1) codeGrid(coder, times, { last, count })
  if (!coder.decoding) return
  if (count === 1) times.offsets = [0]
  times.at = timesFrom(expected + off, times)
  if (!times.at.every((time) => Math.abs(time) <= TIME_MAX)) throw malformed('A time is out of range.')
}

function codeCount(coder: BitCoder, count: number, last: Times | undefined): number {
  if (last === undefined) return codeLarge(coder, AT.count, count)
  const before = last.at.length
  return before + codeSigned(coder, codeSmall, { at: AT.countStep, value: count - before })
}

function codeGrid(
  coder: BitCoder,
  times: Times,
  { last, count }: { last: Times | undefined; count: number },
): void {
  times.period = codePeriod(coder, times.period, last)
  const skipped = times.skips.some((skip) => skip !== 0) ? 1 : 0
  const skips = coder.bit(AT.flags + FLAG.skipped, skipped) === 1
  for (let at = coder.decoding ? 0 : 1; skips && at < count; at += 1) {
    if (at === 0) times.skips[0] = 0
    else times.skips[at] = codeSigned(coder, codeSmall, { at: AT.skipped, value: times.skips[at] ?? 0 })
  }
  const usual = last !== undefined && last.at.length > 1 ? last : undefined
  if (!coder.decoding && usual !== undefined) {
    const { predictor, error } = bestPredictor(times.offsets, usual.predictor)
    times.predictor = predictor
    times.errorStep = settledStep(error, usual.errorStep)
  }
  times.predictor = codeTree(coder, AT.timePredictor, { bits: 3, value: times.predictor })
  times.errorStep = codeErrorStep(coder, times.errorStep, {
    before: usual?.errorStep,
    at: AT.timeScale,
    stepAt: AT.timeScaleStep,
  })
  times.offsets[0] = 0
  const error = errorOfStep(times.errorStep)
  codeIntegers(coder, times.offsets, { set: TIME_SET, count, predictor: times.predictor, error })
}

function codePeriod(coder: BitCoder, period: number, last: Times | undefined): number {
  if (last !== undefined && coder.bit(AT.flags + FLAG.samePeriod, period === last.period ? 1 : 0) === 1) {
    return last.period
  }
  return codeLarge(coder, AT.period, period)
}

/** The same instants; planned alike, so the rest is the same too. */
function sameTimes(a: Times, b: Times): boolean {
  return a === b || (a.at.length === b.at.length && a.at.every((time, index) => time === b.at[index]))
}
