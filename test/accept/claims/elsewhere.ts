import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { askGateway } from '../../../agent/local-api/client.ts'
import { labelText } from '../../../cloud-sync/codec/index.ts'
import { claimAt, claimSite, type SiteGateway, siteProof } from '../../support/claim-site.ts'
import { labelOf } from '../../support/claims.ts'
import type { Defer } from '../../support/cloud-process.ts'
import { ClaimScene, guessOf } from './scene.ts'

/** Of another cloud: a ticket at our gateway, a receipt of our gateway there. */
export async function otherCloud(scene: ClaimScene): Promise<void> {
  const cleanUps: Parameters<Defer>[0][] = []
  try {
    const there = await ClaimScene.at(await claimSite((cleanUp) => void cleanUps.push(cleanUp)))
    await there.site.addGateway('GW-9')
    const gateway = await scene.site.addGateway('GW-9')
    await gateway.start()
    const label = labelOf(gateway.label)
    const foreign = await there.ticket('acme:ana')
    const own = await scene.ticket('acme:ana')
    const refused = [
      await claimAt(gateway, { label: guessOf(label), sealed: own.sealed }),
      await scene.claim(gateway, foreign.sealed),
    ]
    const texts = new Set(refused.map(({ status, text }) => `${status}${text}`))
    scene.holds('a ticket of another cloud is refused as a guess is', texts.size, 1)
    const { receipt } = (await scene.claim(gateway, own.sealed)).body
    const brought = await there.bringAs('GW-9', receipt)
    scene.holds('a receipt at another cloud', brought.body['code'], 'DIRECTORY_CLAIM_REFUSED')
    scene.holds('whose it is there', (await there.look('GW-9'))['org'], null)
    await gateway.end('SIGTERM')
  } finally {
    for (const cleanUp of cleanUps.reverse()) await cleanUp()
  }
}

/** Whatever is wrong, and by whatever door: each door has one refusal. */
export async function doors(scene: ClaimScene): Promise<void> {
  const { site } = scene
  const gateway = await site.addGateway('GW-D')
  await gateway.start()
  const label = labelOf(gateway.label)
  const own = await scene.ticket('acme:ana', { serials: ['GW-D'] })
  const elsewhere = await scene.ticket('acme:ana', { serials: ['GW-1'] })
  const [guess, wrong] = [labelText(guessOf(label)), labelText(label)]
  const tries = [
    { by: guess, sealed: own.sealed },
    { by: wrong, sealed: elsewhere.sealed },
  ]
  const bySocket = await Promise.all(tries.map((one) => overSocket(scene.site.folder, gateway, one)))
  scene.holds('the socket refuses alike', new Set(bySocket).size, 1)
  const byCommand: string[] = []
  for (const { by, sealed } of tries) {
    const file = join(site.folder, 'tried.ticket')
    writeFileSync(file, sealed)
    const { code, json } = await site.run('claim', by, '--ticket', file, ...gateway.here)
    byCommand.push(JSON.stringify([code, json]))
  }
  scene.holds('the command refuses alike', new Set(byCommand).size, 1)
  scene.holds('and says so', byCommand[0]?.includes('CLAIM_REFUSED'), true)
  await gateway.end('SIGTERM')
}

async function overSocket(
  folder: string,
  gateway: SiteGateway,
  { by, sealed }: { by: string; sealed: string },
): Promise<string> {
  const dataDir = join(folder, gateway.serial)
  const ask = (path: string, body: object) => askGateway(dataDir, path, { body })
  const proof = await siteProof({ label: labelOf(by), sealed, ask })
  return ask('/v1/claim', proof).then(
    () => 'claimed',
    (error: unknown) => {
      const { code, message } = error as { code: string; message: string }
      return JSON.stringify([code, message])
    },
  )
}
