import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  amountText,
  decimalText,
  minorText,
  minorUnit,
  parseAmount,
  roundHalfEven,
} from '../../../../cloud-sync/cloud/billing/index.ts'

const amounts = fc.bigInt(-(2n ** 200n), 2n ** 200n)
const UNIT = 10n ** 12n

test.for([
  ['0', 0n],
  ['12', 12n * UNIT],
  ['-0.5', -UNIT / 2n],
  ['0.000000000001', 1n],
  ['9007199254740993.000000000001', 9_007_199_254_740_993n * UNIT + 1n],
] as const)('%s is read exactly', ([text, amount]) => {
  expect(parseAmount(text)).toBe(amount)
  expect(amountText(amount)).toBe(text)
})

test.for(['', ' 1', '1.', '.5', '+1', '1e3', '1,000', '0x10', '1.0000000000001', '--1', '1'.repeat(31), '١'])(
  '"%s" is no amount',
  (text) => {
    expect(parseAmount(text)).toBeUndefined()
  },
)

test('I16 any amount, beyond 2^53 and down to 10^-12, survives its text', () => {
  fc.assert(
    fc.property(fc.bigInt(-(10n ** 42n) + 1n, 10n ** 42n - 1n), (amount) => {
      expect(parseAmount(amountText(amount))).toBe(amount)
    }),
  )
})

test.for([
  [5n, 0n, 'half goes down to the even one'],
  [15n, 2n, 'half goes up to the even one'],
  [25n, 2n, 'half goes down to the even one again'],
  [26n, 3n, 'more than half goes up'],
  [24n, 2n, 'less than half goes down'],
  [-5n, 0n, 'a credit of half a cent is rounded like the charge'],
  [-15n, -2n, 'and of one and a half'],
  [-26n, -3n, 'and of more than two and a half'],
] as const)('%i tenths of a cent are %i cents: %s', ([tenths, cents]) => {
  expect(roundHalfEven(tenths * 10n ** 9n, 2)).toBe(cents)
})

test('I16 rounding is off by half a minor unit at most, and a credit takes back its charge', () => {
  fc.assert(
    fc.property(amounts, fc.integer({ min: 0, max: 4 }), (amount, digits) => {
      const unit = minorUnit(digits)
      const off = roundHalfEven(amount, digits) * unit - amount
      expect(off * 2n <= unit && off * 2n >= -unit).toBe(true)
      expect(roundHalfEven(-amount, digits)).toBe(-roundHalfEven(amount, digits))
    }),
  )
})

test.for([
  [1234n, 2, '12.34'],
  [-5n, 2, '-0.05'],
  [7n, 0, '7'],
  [1n, 3, '0.001'],
] as const)('%i minor units with %i places are %s', ([minor, digits, text]) => {
  expect(minorText(minor, digits)).toBe(text)
})

test('bytes are shown in megabytes without losing one', () => {
  expect(decimalText(1_500_000n, 6)).toBe('1.5')
  expect(decimalText(10_000_000n, 6)).toBe('10')
  expect(decimalText(1n, 6)).toBe('0.000001')
  expect(decimalText(100n, 0)).toBe('100')
})
