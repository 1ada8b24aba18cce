import { expect, test } from 'vitest'
import { harness } from '../../accept/revocation.ts'

test(`edge case 10: ${harness.what}`, { timeout: 120_000 }, async () => {
  const { failures } = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(failures).toEqual([])
})
