import { expect, test } from 'vitest'
import { harness } from '../../accept/claim-timing.ts'

test('every claim that is refused is refused in the same words, on site and in the cloud', async () => {
  const { failures } = await harness.run({ scale: 0.002, progress: () => undefined })
  expect(failures).toEqual([])
}, 60_000)
