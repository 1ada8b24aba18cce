import { expect, test } from 'vitest'
import { harness } from '../../accept/policy-attacks.ts'

test('policies that are replayed, altered, flipped or killed half-way are refused or recovered, at 1/50 scale', {
  timeout: 120_000,
}, async () => {
  const outcome = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(outcome.failures).toEqual([])
  expect(outcome.figures['flips']).toBe(2000)
})
