/**
 * A decimal grid: every value is `n * step / 10^digits` with an integer n. 0.01 is {step: 1, digits: 2}, 0.5 is
 * {step: 5, digits: 1}, 10 is {step: 10, digits: 0}.
 */
export interface Resolution {
  readonly step: number
  readonly digits: number
}

/** Digits after the point that doubles of this size can still carry. */
const DIGITS_MAX = 12

/** The number as its shortest decimal, step times ten to the minus digits; undefined beyond 12 digits. */
export function decimalOf(value: number): Resolution | undefined {
  const [mantissa = '', exponent = '0'] = String(value).split('e')
  const written = (mantissa.split('.')[1] ?? '').length - Number(exponent)
  const digits = Math.max(0, written)
  if (digits > DIGITS_MAX) return undefined
  const step = Math.round(value * 10 ** digits)
  return Number.isSafeInteger(step) ? { step, digits } : undefined
}

/** The grid value nearest to this one. Two exact integers are divided, so a decimal is the very double one writes. */
export function quantise(value: number, { step, digits }: Resolution): number {
  const steps = Math.round((value * 10 ** digits) / step) * step
  // Adding zero turns -0 into 0.
  return Number.isSafeInteger(steps) ? steps / 10 ** digits + 0 : value
}

/** value * scale + offset, without the error that 3 * 0.1 has where value is an integer. */
export function linear(value: number, scale: number, offset: number): number {
  const factor = decimalOf(scale)
  const summand = decimalOf(offset)
  const plain = value * scale + offset
  if (!Number.isInteger(value) || factor === undefined || summand === undefined) return plain
  const digits = Math.max(factor.digits, summand.digits)
  const whole =
    value * factor.step * 10 ** (digits - factor.digits) + summand.step * 10 ** (digits - summand.digits)
  return Number.isSafeInteger(whole) ? whole / 10 ** digits : plain
}
