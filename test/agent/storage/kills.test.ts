import { expect, test } from 'vitest'
import { harness } from '../../accept/store-kills.ts'

test('I1 kills at any moment leave each sensor with its register at the readings stored, and break no chain', async () => {
  const outcome = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(outcome.failures).toEqual([])
}, 60_000)
