import { expect, test } from 'vitest'
import { harness } from '../accept/kills.ts'

test('kills of every process and cuts of the link lose nothing and count nothing twice', {
  timeout: 240_000,
}, async () => {
  const outcome = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(outcome.failures, JSON.stringify(outcome.figures)).toEqual([])
})
