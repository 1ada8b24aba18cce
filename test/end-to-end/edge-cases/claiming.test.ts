import { expect, test } from 'vitest'
import { played } from '../../accept/claim-attacks.ts'
import { guesses } from '../../accept/claims/guesses.ts'
import { kills } from '../../accept/claims/kills.ts'
import { offlineRace, revokedAndReserved } from '../../accept/claims/race.ts'

const CASE_MS_MAX = 240_000
/** One kill of the gateway and one of the cloud; `npm run accept -- claim-attacks` does a hundred. */
const KILLS = 2

test.for([
  [
    'edge case 19: of two installers at one gateway without a link one gets it, and a ticket counts once',
    offlineRace,
  ],
  [
    'edge case 19: a ticket that is revoked before its receipt disputes, after it changes nothing',
    revokedAndReserved,
  ],
  [
    'edge case 20: guesses are refused alike, lock over a kill, put out no claim, and an old code opens nothing',
    guesses,
  ],
  [
    'edge case 21: a claim that is killed in the gateway or in the cloud comes to one owner',
    (scene: Parameters<typeof guesses>[0]) => kills(scene, KILLS),
  ],
] as const)('%s', { timeout: CASE_MS_MAX }, async ([, play]) => {
  expect(await played(play)).toEqual([])
})
