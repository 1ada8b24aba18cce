import { expect, test } from 'vitest'
import { harness } from '../../../accept/ledger-tamper.ts'

test('I17 a flipped bit of what is stored or exported is caught and located, and elsewhere changes no figure', async () => {
  const { failures } = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(failures).toEqual([])
}, 120_000)
