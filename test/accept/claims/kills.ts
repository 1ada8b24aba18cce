import { setTimeout as sleep } from 'node:timers/promises'
import type { SiteGateway } from '../../support/claim-site.ts'
import type { ClaimScene } from './scene.ts'

/** How much later each kill comes than the one before, ms: a claim takes some tens. */
const STEP_MS = 4
const STEPS = 12

/** Kills the gateway, or the cloud, ever later in a claim; the same claim again comes to one owner in any case. */
export async function kills(scene: ClaimScene, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const gateway = await scene.site.addGateway(`GW-K${round}`)
    await gateway.start()
    const afterMs = (round % STEPS) * STEP_MS
    if (round % 2 === 0) await gatewayKilled(scene, gateway, afterMs)
    else await cloudKilled(scene, gateway, afterMs)
    const { state, org, owners } = await scene.look(gateway.serial)
    scene.holds(
      `kill after ${afterMs} ms`,
      [state, org, (owners as unknown[]).length],
      ['claimed', 'acme', 1],
    )
    await gateway.end('SIGTERM')
  }
}

async function gatewayKilled(scene: ClaimScene, gateway: SiteGateway, afterMs: number): Promise<void> {
  const { sealed } = await scene.ticket('acme:ana')
  const first = scene.claim(gateway, sealed).catch(() => undefined)
  await sleep(afterMs)
  await gateway.end('SIGKILL')
  await first
  await gateway.start()
  scene.holds('the same claim again', (await scene.claim(gateway, sealed)).status, 200)
  await gateway.until('claimed')
}

/** The saga in the cloud: reservation, receipt, ownership, policy. */
async function cloudKilled(scene: ClaimScene, gateway: SiteGateway, afterMs: number): Promise<void> {
  const { sealed } = await scene.ticket('acme:ana')
  scene.cut()
  const { body } = await scene.claim(gateway, sealed)
  const first = scene.bring(gateway.serial, body['receipt']).catch(() => undefined)
  await sleep(afterMs)
  await scene.site.restartCloud('SIGKILL')
  await first
  scene.holds('the same receipt again', await scene.bring(gateway.serial, body['receipt']), [
    'confirmed',
    null,
  ])
  await scene.rejoin(gateway)
  await gateway.until('claimed')
}
