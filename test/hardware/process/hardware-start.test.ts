import { expect, test } from 'vitest'
import { harness } from '../../accept/hardware-start.ts'

test('the first good reading comes soon after the start', { timeout: 120_000 }, async () => {
  const outcome = await harness.run({ scale: 0.02, progress: () => undefined })
  expect(outcome.failures).toEqual([])
})
