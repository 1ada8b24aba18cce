import { expect, test } from 'vitest'
import { harness } from '../accept/broker-memory.ts'

test('full queues of absent sessions run over on the disk, not in memory', async () => {
  const outcome = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(outcome.failures).toEqual([])
}, 120_000)
