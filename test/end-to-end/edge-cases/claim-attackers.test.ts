import { expect, test } from 'vitest'
import { ATTACKERS, played } from '../../accept/claim-attacks.ts'

/** The whole of it, on one site, is 40 s of starting processes on a machine with other work. */
const CASE_MS_MAX = 300_000

test('edge cases 19 and 20: photos, replays, spent tickets, other clouds and every door give nobody a gateway', {
  timeout: CASE_MS_MAX,
}, async () => {
  expect(
    await played(async (scene) => {
      for (const [, attack] of ATTACKERS) await attack(scene)
    }),
  ).toEqual([])
})
