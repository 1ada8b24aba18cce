/** Kelvin to Celsius as the makers of vibrating-wire sensors print it in their thermistor equation. */
const KELVIN_OF_MAKERS = 273.2
const MICROSECONDS = 1e6

interface Fn {
  readonly arity: readonly [least: number, most: number]
  readonly run: (args: readonly number[]) => number
}

const unary = (run: (x: number) => number): Fn => ({ arity: [1, 1], run: ([x = Number.NaN]) => run(x) })

const ARGUMENTS_MAX = 16

/** Coefficients as a calibration sheet prints them, the highest power first: poly(R, A, B, C) = A R^2 + B R + C. */
function poly([x = Number.NaN, ...coefficients]: readonly number[]): number {
  return coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0)
}

/** Degrees Celsius of a thermistor of r Ohm: 1 / (A + B ln r + C (ln r)^3) - 273.2. */
function steinhart([
  r = Number.NaN,
  a = Number.NaN,
  b = Number.NaN,
  c = Number.NaN,
]: readonly number[]): number {
  const ln = Math.log(r)
  return 1 / (a + b * ln + c * ln ** 3) - KELVIN_OF_MAKERS
}

/** Every function an expression may call. A Map, so that no name reaches what objects inherit. */
export const FUNCTIONS: ReadonlyMap<string, Fn> = new Map<string, Fn>([
  ['abs', unary(Math.abs)],
  ['ln', unary(Math.log)],
  ['exp', unary(Math.exp)],
  ['min', { arity: [1, ARGUMENTS_MAX], run: (args) => Math.min(...args) }],
  ['max', { arity: [1, ARGUMENTS_MAX], run: (args) => Math.max(...args) }],
  ['poly', { arity: [2, ARGUMENTS_MAX], run: poly }],
  ['steinhart', { arity: [4, 4], run: steinhart }],
  // Digits of a vibrating wire: f^2 / 1000, f in Hz (8000 digits = 2828 Hz).
  ['digits', unary((hz) => (hz * hz) / 1000)],
  // Microseconds of one period; its own inverse, so period(us) is Hz.
  ['period', unary((hz) => MICROSECONDS / hz)],
])
