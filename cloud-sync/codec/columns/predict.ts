/** A prediction never leaves the range in which differences of integers are exact. */
const PREDICTION_MAX = 2 ** 52
const RECENT = 1 / 16

/**
 * Alpha-beta filters: what share of an error moves the level, what share the slope. From "as last" over moving means
 * of 2 to 32 to "on in a straight line". The position is the number in the bytes.
 */
const FILTERS = [
  { level: 1, slope: 0 },
  { level: 1 / 2, slope: 0 },
  { level: 1 / 4, slope: 0 },
  { level: 1 / 8, slope: 0 },
  { level: 1 / 32, slope: 0 },
  { level: 1 / 2, slope: 1 / 8 },
  { level: 1 / 4, slope: 1 / 32 },
  { level: 1, slope: 1 },
] as const
export const PREDICTORS = FILTERS.length

/** Predicts the next integer of a column and keeps the usual size of its error. Only IEEE basic operations. */
export class Predictor {
  readonly #level: number
  readonly #slope: number
  #seen = 1
  #rise = 0
  /** Where the next value is expected; not an integer. */
  expected: number
  /** Moving mean of the error. */
  error: number

  constructor(which: number, first: number, error: number) {
    const { level, slope } = FILTERS[which] ?? FILTERS[0]
    this.#level = level
    this.#slope = slope
    this.expected = first
    this.error = error
  }

  learn(value: number): void {
    const miss = value - this.expected
    this.error += (Math.abs(miss) - this.error) * RECENT
    this.#seen += 1
    // A mean of the few seen so far is better than a moving mean that still remembers its start.
    const share = 1 / this.#seen
    const level = this.expected + miss * (share > this.#level ? share : this.#level)
    this.#rise += miss * this.#slope
    const next = level + this.#rise
    this.expected = next > PREDICTION_MAX ? PREDICTION_MAX : next < -PREDICTION_MAX ? -PREDICTION_MAX : next
  }
}

/** What another filter than the column before must save, in bits: telling it costs as much. */
const CHANGE_BITS = 5
/** An error below this, in units, costs the same. */
const ERROR_FLOOR = 1 / 16

/**
 * The filter with the smallest mean error over the column, and that error; the one given where another would save too
 * little.
 */
export function bestPredictor(
  values: readonly number[],
  usual?: number,
): { predictor: number; error: number } {
  let best = { predictor: 0, error: Infinity, bits: Infinity }
  for (let predictor = 0; predictor < PREDICTORS; predictor += 1) {
    const error = meanError(values, predictor)
    const change = usual === undefined || predictor === usual ? 0 : CHANGE_BITS
    const bits = values.length * Math.log2(error + ERROR_FLOOR) + change
    if (bits < best.bits) best = { predictor, error, bits }
  }
  return best
}

function meanError(values: readonly number[], which: number): number {
  const predictor = new Predictor(which, values[0] ?? 0, 0)
  let sum = 0
  for (let at = 1; at < values.length; at += 1) {
    const value = values[at] ?? 0
    sum += Math.abs(value - predictor.expected)
    predictor.learn(value)
  }
  return values.length < 2 ? 0 : sum / (values.length - 1)
}
