import { expect, test } from 'vitest'
import { harness } from '../accept/broker-attacks.ts'

test('attacks cost a broker neither its memory nor its other clients, and each refusal is counted', async () => {
  const outcome = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(outcome.failures).toEqual([])
}, 120_000)
