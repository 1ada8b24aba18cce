import { expect, test } from 'vitest'
import { harness } from '../accept/bad-link.ts'

test('over a link that is slow, breaks and is cut, registers, ledger and bills agree', {
  timeout: 300_000,
}, async () => {
  const outcome = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(outcome.failures, JSON.stringify(outcome.figures)).toEqual([])
})
