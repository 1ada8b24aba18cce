/**
 * In which coins Stripe's API counts each currency, from its public description (Supported currencies: minor units,
 * zero-decimal currencies, special cases). Neither ISO 4217 nor this machine's tables say the same: 100 of Stripe's ISK
 * are one krona.
 */
const WITHOUT_PLACES: ReadonlySet<string> = new Set([
  ...['BIF', 'CLP', 'DJF', 'GNF', 'JPY', 'KMF', 'KRW', 'MGA'],
  ...['PYG', 'RWF', 'VND', 'VUV', 'XAF', 'XOF', 'XPF'],
])
const THREE_PLACES: ReadonlySet<string> = new Set(['BHD', 'JOD', 'KWD', 'OMR', 'TND'])
/** Counted in hundredths there, and yet only whole units are taken. */
const WHOLE_UNITS: ReadonlySet<string> = new Set(['ISK', 'UGX'])

/** Above this nothing is taken: eight digits. */
const CHARGE_MINOR_MAX = 99_999_999n

/** Places of a currency's amounts in Stripe's API. @param currency ISO 4217, upper case */
export function stripeDigits(currency: string): 0 | 2 | 3 {
  if (WITHOUT_PLACES.has(currency)) return 0
  return THREE_PLACES.has(currency) ? 3 : 2
}

/** What amounts must be a multiple of, in the same coins. */
function stepOf(currency: string): bigint {
  if (WHOLE_UNITS.has(currency)) return 100n
  return THREE_PLACES.has(currency) ? 10n : 1n
}

/** Why Stripe would not take an amount as it is meant; undefined where it would. */
export function stripeAmountFault(asked: {
  readonly minor: bigint
  /** ISO 4217, upper case. */
  readonly currency: string
  /** Places in which `minor` counts, as the rate card says. */
  readonly digits: number
}): 'amount_too_large' | 'currency_places' | 'currency_step' | undefined {
  const { minor, currency, digits } = asked
  if (minor > CHARGE_MINOR_MAX) return 'amount_too_large'
  // The same number in other coins is a hundred times as much, or a hundredth.
  if (digits !== stripeDigits(currency)) return 'currency_places'
  return minor % stepOf(currency) === 0n ? undefined : 'currency_step'
}
