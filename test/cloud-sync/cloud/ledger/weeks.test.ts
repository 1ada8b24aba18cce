import { expect, test, vi } from 'vitest'
import { harness } from '../../../accept/ledger-weeks.ts'

/** Much of it at once on a busy machine. */
vi.setConfig({ testTimeout: 240_000 })

test('I6 registers, ledger and statements with their adjustments agree after weeks on a bad link, and a dropped record is seen', async () => {
  const { failures } = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(failures).toEqual([])
})
