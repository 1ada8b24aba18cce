import { expect } from 'vitest'
import { harness } from '../../accept/disk-full.ts'
import { testWith } from '../../support/peers.ts'

testWith('root')(
  'a disk that others fill costs declared drops only, and no usage; when space returns it goes on',
  async () => {
    const outcome = await harness.run({ scale: 1 / 50, progress: () => undefined })
    expect(outcome.failures).toEqual([])
  },
  60_000,
)
