import { expect } from 'vitest'
import { harness } from '../../accept/unplugs.ts'
import { testWith } from '../../support/peers.ts'

testWith('socat')('each unplug is seen and each replug read again', { timeout: 120_000 }, async () => {
  const outcome = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(outcome.failures).toEqual([])
})
