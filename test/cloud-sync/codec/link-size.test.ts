import { expect, test } from 'vitest'
import { BARS, measure } from '../../bench/link-size.ts'

test.for([0, 40] as const)(
  'messages of 1,000 readings late by up to %d ms keep the bar, exactly, and beat every other format',
  (jitterMs) => {
    const { bytesPerReading, exact, others } = measure(20_000, { jitterMs })
    expect(exact).toBe(true)
    expect(bytesPerReading).toBeLessThanOrEqual(BARS[jitterMs])
    for (const { plain, deflated } of Object.values(others)) {
      expect(plain).toBeGreaterThan(10 * bytesPerReading)
      expect(deflated).toBeGreaterThan(2 * bytesPerReading)
    }
  },
)

test('noisy full-precision doubles come back exactly and take less than themselves', () => {
  const { bytesPerReading, exact } = measure(5_000, { jitterMs: 40, fullPrecision: true })
  expect(exact).toBe(true)
  expect(bytesPerReading).toBeLessThan(8)
})
