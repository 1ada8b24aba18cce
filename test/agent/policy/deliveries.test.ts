import { expect, test } from 'vitest'
import { harness } from '../../accept/deliveries.ts'

test(harness.what, async () => {
  const { failures, figures } = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(failures).toEqual([])
  expect(figures['delivered']).toBeGreaterThan(50)
})
