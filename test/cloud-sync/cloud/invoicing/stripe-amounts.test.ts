import { expect, test } from 'vitest'
import {
  stripeAmountFault,
  stripeDigits,
} from '../../../../cloud-sync/cloud/invoicing/payments/stripe-amounts.ts'

/** From Stripe's public description of minor units, zero-decimal currencies and special cases. */
const CASES = [
  ['10 USD are 1000', 'USD', 2, 1000n, undefined],
  ['500 JPY are 500', 'JPY', 0, 500n, undefined],
  ['500 JPY in hundredths are none', 'JPY', 2, 50_000n, 'currency_places'],
  ['5 ISK are 500 there', 'ISK', 2, 500n, undefined],
  ['5 ISK without places would be 5 hundredths', 'ISK', 0, 5n, 'currency_places'],
  ['no part of a krona is taken', 'ISK', 2, 510n, 'currency_step'],
  ['5 UGX are 500 there', 'UGX', 2, 500n, undefined],
  ['UGX without places would be a hundredth', 'UGX', 0, 5n, 'currency_places'],
  ['HUF are charged in hundredths', 'HUF', 2, 1045n, undefined],
  ['TWD are charged in hundredths', 'TWD', 2, 80_045n, undefined],
  ['5.12 KWD are 5120', 'KWD', 3, 5_120n, undefined],
  ['the last place of a dinar is 0', 'KWD', 3, 5_124n, 'currency_step'],
  ['MGA has no places there', 'MGA', 0, 7n, undefined],
  ['eight digits are the most', 'EUR', 2, 100_000_000n, 'amount_too_large'],
] as const
test.for(CASES)('%s', ([, currency, digits, minor, fault]) => {
  expect(stripeAmountFault({ minor, currency, digits })).toBe(fault)
})

test('the table is Stripe’s, not this machine’s', () => {
  const own = (currency: string): number | undefined =>
    new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits
  expect(['ISK', 'UGX'].map((currency) => [stripeDigits(currency), own(currency)])).toEqual([
    [2, 0],
    [2, 0],
  ])
})
