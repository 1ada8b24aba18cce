import { expect, test, vi } from 'vitest'
import { harness } from '../../../accept/ledger-kills.ts'

/** Real processes: on a busy machine each takes seconds to start. */
vi.setConfig({ testTimeout: 240_000 })

test('I7 what is acknowledged is in the ledger, and billed once, though cloud and gateway are killed at the worst moments', async () => {
  const { failures } = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(failures).toEqual([])
})
