/**
 * Money is a whole number of 10^-12 of the currency's unit, so that adding and multiplying by counts is exact; no
 * number of JavaScript ever holds money. It is rounded once, where a line of a statement gets its amount to pay.
 */
export type Amount = bigint
/** Whole minor units of a currency (cents), as an invoice shows them. */
export type Minor = bigint

const FRACTION_DIGITS = 12
/** One unit of a currency. */
const UNIT: Amount = 10n ** BigInt(FRACTION_DIGITS)
/** Most digits before the point; a text longer than this is no price. */
const WHOLE_DIGITS_MAX = 30
const DECIMAL = new RegExp(`^(-?)(\\d{1,${WHOLE_DIGITS_MAX}})(?:\\.(\\d{1,${FRACTION_DIGITS}}))?$`)

/** Reads a decimal text such as `-0.0125`; undefined where it is none or has more than 12 places. */
export function parseAmount(text: string): Amount | undefined {
  const [, sign, whole, fraction = ''] = DECIMAL.exec(text) ?? []
  if (whole === undefined) return undefined
  const size = BigInt(whole) * UNIT + BigInt(fraction.padEnd(FRACTION_DIGITS, '0'))
  return sign === '-' ? -size : size
}

/** The shortest decimal text that `parseAmount` reads as the same amount. */
export const amountText = (amount: Amount): string => decimalText(amount, FRACTION_DIGITS)

/** `scaled` divided by 10^`digits` as the shortest decimal text: 1_500_000 bytes with 6 digits is `1.5` (MB). */
export function decimalText(scaled: bigint, digits: number): string {
  const text = fixedText(scaled, digits)
  return digits === 0 ? text : text.replace(/\.?0+$/, '')
}

/** Minor units as people read them: 1234 with 2 digits is `12.34`. */
export const minorText = (minor: Minor, minorDigits: number): string => fixedText(minor, minorDigits)

function fixedText(scaled: bigint, digits: number): string {
  const size = (scaled < 0n ? -scaled : scaled).toString().padStart(digits + 1, '0')
  const text =
    digits === 0 ? size : `${size.slice(0, size.length - digits)}.${size.slice(size.length - digits)}`
  return scaled < 0n ? `-${text}` : text
}

/** What one minor unit is worth: a cent is 10^10. */
export const minorUnit = (minorDigits: number): Amount => 10n ** BigInt(FRACTION_DIGITS - minorDigits)

/** Division that rounds down, below zero too, so that the rest is never negative. */
export function divideDown(value: bigint, by: bigint): { readonly whole: bigint; readonly rest: bigint } {
  const whole = value / by
  const rest = value - whole * by
  return rest < 0n ? { whole: whole - 1n, rest: rest + by } : { whole, rest }
}

/**
 * Rounds to minor units, ties to the even one: over many lines it favours neither side, and a credit is rounded like
 * the charge that it takes back, so that the two are zero together.
 */
export function roundHalfEven(amount: Amount, minorDigits: number): Minor {
  const unit = minorUnit(minorDigits)
  const { whole, rest } = divideDown(amount, unit)
  const twice = rest * 2n
  if (twice < unit) return whole
  if (twice > unit) return whole + 1n
  return whole % 2n === 0n ? whole : whole + 1n
}
