import { expect, test } from 'vitest'
import { harness } from '../accept/broker-kills.ts'

test('a broker that is killed has kept whatever it acknowledged, and delivers QoS 2 exactly once', async () => {
  const outcome = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(outcome.failures).toEqual([])
}, 120_000)
