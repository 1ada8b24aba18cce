import { expect } from 'vitest'
import { harness } from '../../accept/power-cuts.ts'
import { testWith } from '../../support/peers.ts'

testWith('loop')(
  'a power cut loses nothing that was committed, and the same harness with synchronous=NORMAL does lose some',
  async () => {
    const outcome = await harness.run({ scale: 1 / 50, progress: () => undefined })
    expect(outcome.failures).toEqual([])
  },
  60_000,
)
