import { expect } from 'vitest'
import { harness } from '../../accept/clock-jumps.ts'
import { testWith } from '../../support/peers.ts'

testWith('faketime')(
  'the rhythm of polls holds while the wall clock jumps',
  { timeout: 120_000 },
  async () => {
    const outcome = await harness.run({ scale: 0.02, progress: () => undefined })
    expect(outcome.failures).toEqual([])
  },
)
