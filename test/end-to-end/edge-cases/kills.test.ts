import { expect, test } from 'vitest'
import { harness as changeKills } from '../../accept/change-kills.ts'
import { harness as revocationKills } from '../../accept/revocation-kills.ts'

const CASE_MS_MAX = 240_000

test.for([
  [
    'edge case 12: a gateway killed between a revocation and its sessions gives nothing of it away',
    revocationKills,
  ],
  ['edge case 16: a cloud killed while it takes the changes of a gateway has each of them once', changeKills],
] as const)('%s', { timeout: CASE_MS_MAX }, async ([, harness]) => {
  const { failures } = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(failures).toEqual([])
})
