import { claimSite } from '../support/claim-site.ts'
import type { Defer } from '../support/cloud-process.ts'
import { type Harness, scaled } from '../support/harness.ts'
import { guesses } from './claims/guesses.ts'
import { doors, otherCloud } from './claims/elsewhere.ts'
import { kills } from './claims/kills.ts'
import { offlineRace, revokedAndReserved } from './claims/race.ts'
import { receipts, twice } from './claims/receipts.ts'
import { photo } from './claims/photo.ts'
import { ClaimScene } from './claims/scene.ts'

const KILLS = 100

/** Each may be played on the site where another one was. */
const ATTACKERS = [
  ['a photo of the label', photo],
  ['receipts', receipts],
  ['one ticket on two gateways', twice],
  ['another cloud', otherCloud],
  ['doors', doors],
] as const

/** Plays with a cloud and gateways of its own, all of them processes; gives what went otherwise than designed. */
export async function played(play: (scene: ClaimScene) => Promise<void>): Promise<readonly string[]> {
  const cleanUps: Parameters<Defer>[0][] = []
  try {
    const site = await claimSite((cleanUp) => void cleanUps.push(cleanUp))
    const scene = await ClaimScene.at(site)
    await play(scene)
    return scene.failures
  } finally {
    for (const cleanUp of cleanUps.reverse()) await cleanUp()
  }
}

export const harness: Harness = {
  what: 'nobody gets a gateway by guessing, a photo, a replay, a spent or revoked ticket, and a kill leaves no claim half done',
  async run({ scale, progress }) {
    const failures: string[] = []
    const rounds = scaled(KILLS, scale, 2)
    const parts = [
      ['two installers', offlineRace],
      ['tickets and reservations', revokedAndReserved],
      ['guesses', guesses],
      ...ATTACKERS,
      ['kills', (scene: ClaimScene) => kills(scene, rounds)],
    ] as const
    for (const [name, part] of parts) {
      progress(name)
      failures.push(...(await played(part)).map((failure) => `${name}: ${failure}`))
    }
    return { figures: { kills: rounds }, failures }
  },
}
