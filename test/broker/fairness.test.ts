import { expect, test } from 'vitest'
import { harness } from '../accept/broker-fairness.ts'

test('a healthy subscriber waits neither for a frozen nor for a slow one, and misses nothing', async () => {
  const outcome = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(outcome.failures).toEqual([])
}, 120_000)
