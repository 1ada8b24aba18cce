import { expect, test } from 'vitest'
import { harness } from '../../accept/dead-device.ts'

test('one dead device of ten costs the others next to nothing', { timeout: 120_000 }, async () => {
  const outcome = await harness.run({ scale: 0.02, progress: () => undefined })
  expect(outcome.failures).toEqual([])
})
