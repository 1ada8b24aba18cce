import { expect, test } from 'vitest'
import { harness } from '../../accept/hardware-orphan.ts'

test('the hardware process does not outlive its parent', { timeout: 120_000 }, async () => {
  const outcome = await harness.run({ scale: 0.02, progress: () => undefined })
  expect(outcome.failures).toEqual([])
})
