import { expect, test } from 'vitest'
import { harness } from '../../accept/faulty-wire.ts'

test('no wrong value comes through a faulty line, and the check can tell', { timeout: 120_000 }, async () => {
  const outcome = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(outcome.failures).toEqual([])
})
