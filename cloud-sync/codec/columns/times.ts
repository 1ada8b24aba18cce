import { stepOfError } from './numbers.ts'
import { bestPredictor } from './predict.ts'

/** Times lie within 71,000 years of 1970, so that differences of two are exact. */
export const TIME_MAX = 2 ** 51

/** When a column's readings were taken: a grid of `period`, steps skipped on it, and how far each is off it. */
export interface Times {
  /** The times themselves, epoch milliseconds. */
  at: number[]
  /** Milliseconds; 0 = no grid. */
  period: number
  /** Grid steps from the reading before, less one: 0 where none is missing. As many as readings, the first is 0. */
  skips: number[]
  /** Off the grid that starts at the first time. */
  offsets: number[]
  predictor: number
  errorStep: number
}

/** Periods are tried as they are and rounded to these, milliseconds: a poller late by chance has a round period. */
const ROUNDINGS = [10_000, 1000, 100, 10]

/**
 * Finds the grid that the times keep best.
 * @throws RangeError where one is not a whole number of milliseconds within TIME_MAX
 */
export function planTimes(at: number[]): Times {
  if (!at.every((time) => Number.isInteger(time) && Math.abs(time) <= TIME_MAX)) {
    throw new RangeError('A time is not a whole number of milliseconds.')
  }
  const deltas = at.slice(1).map((time, index) => time - (at[index] ?? 0))
  const median = deltas.toSorted((a, b) => a - b)[deltas.length >> 1] ?? 0
  const periods = new Set([median, ...ROUNDINGS.map((unit) => Math.round(median / unit) * unit)])
  let best: { cost: number; times: Times } | undefined
  for (const period of periods) {
    if (period < 0) continue
    const { cost, times } = onGrid(at, period)
    // Equal costs: the coarser rounding stands earlier only by chance, so the later one must be better.
    if (best === undefined || cost < best.cost) best = { cost, times }
  }
  return best?.times ?? onGrid(at, 0).times
}

function onGrid(at: number[], period: number): { cost: number; times: Times } {
  const skips = [0]
  const offsets = [0]
  let grid = at[0] ?? 0
  let steps = 0
  for (let index = 1; index < at.length; index += 1) {
    const time = at[index] ?? 0
    const step = period === 0 ? 1 : Math.round((time - (at[index - 1] ?? 0)) / period)
    grid += step * period
    skips.push(step - 1)
    offsets.push(time - grid)
    steps += Math.log2(Math.abs(step - 1) + 1)
  }
  const { predictor, error } = bestPredictor(offsets)
  const cost = steps + at.length * Math.log2(error + 1 / 16)
  return { cost, times: { at, period, skips, offsets, predictor, errorStep: stepOfError(error) } }
}

/** Computes `at` from the grid once `skips` and `offsets` are known. */
export function timesFrom(first: number, times: Times): number[] {
  let grid = first
  return times.offsets.map((offset, index) => {
    if (index > 0) grid += ((times.skips[index] ?? 0) + 1) * times.period
    return grid + offset
  })
}
