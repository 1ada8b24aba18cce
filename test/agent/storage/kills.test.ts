import { expect, test } from 'vitest'
import { harness } from '../../accept/store-kills.ts'

test('kills at any moment lose no committed reading, count none twice and break no chain', async () => {
  const outcome = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(outcome.failures).toEqual([])
}, 60_000)
