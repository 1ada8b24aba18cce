import { expect } from 'vitest'
import { testWith } from '../../support/peers.ts'
import { harness } from '../../accept/line-efficiency.ts'

testWith('socat')('a line is used nearly whole and its silences are kept', { timeout: 120_000 }, async () => {
  const outcome = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(outcome.failures).toEqual([])
})
