import { expect, test } from 'vitest'
import { played } from '../../accept/claim-attacks.ts'
import { doors } from '../../accept/claims/elsewhere.ts'
import { photo } from '../../accept/claims/photo.ts'
import { receipts } from '../../accept/claims/receipts.ts'

/** Most of it is starting processes; `npm run accept -- claim-attacks` plays the others too. */
const CASE_MS_MAX = 600_000

test('edge cases 19 and 20: photos, replays and guesses by whatever door give nobody a gateway', {
  timeout: CASE_MS_MAX,
}, async () => {
  expect(
    await played(async (scene) => {
      for (const attack of [photo, receipts, doors]) await attack(scene)
    }),
  ).toEqual([])
})
