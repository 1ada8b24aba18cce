import { setTimeout as sleep } from 'node:timers/promises'
import { claimAt, postedAt } from '../../support/claim-site.ts'
import { labelOf } from '../../support/claims.ts'
import { type ClaimScene, guessOf } from './scene.ts'

/** Longer than a gateway takes to hear of a reservation and to look at its button, ms. */
const HEARD_MS = 2_000

/**
 * bea has a photo of the label and an account with every right in her own organisation, and is never at the gateway: before,
 * during and after ana's claim, and after the gateway was let go.
 */
export async function photo(scene: ClaimScene): Promise<void> {
  const { site } = scene
  const gateway = await site.addGateway('GW-6')
  await gateway.start()
  const label = labelOf(gateway.label)

  const taken = await scene.reserve('borealis:bea', label)
  scene.holds('a photo reserves', taken.status, 201)
  const document = { documents: [String(taken.body['sealed'])] }
  const brought = await postedAt(gateway, '/v1/claim/documents', document)
  scene.holds('and may be brought by anybody', brought.body, { taken: 1 })
  await sleep(HEARD_MS)
  scene.holds('nobody was there', (await gateway.facts())['state'], 'unclaimed')

  const mine = await scene.reserve('acme:ana', label)
  scene.holds('the owner reserves beside it', mine.status, 201)
  await sleep(HEARD_MS)
  site.press('GW-6')
  await sleep(HEARD_MS)
  scene.holds(
    'of two that reserved, the button decides nothing',
    (await gateway.facts())['state'],
    'unclaimed',
  )
  const won = await scene.claim(gateway, String(mine.body['sealed']))
  scene.holds('who is there with the label has it', won.body['organisation'], 'acme')
  scene.holds('and keeps it', (await gateway.until('claimed'))['organisation'], 'acme')

  const guess = await claimAt(gateway, { label: guessOf(label), sealed: String(taken.body['sealed']) })
  const late = await scene.claim(gateway, String(taken.body['sealed']))
  scene.holds('at the gateway the photo is worth what a guess is', late.text, guess.text)
  const reference = await scene.reserve('borealis:bea', guessOf(label))
  const again = await scene.reserve('borealis:bea', label)
  scene.holds('and in the cloud', [again.status, again.text], [reference.status, reference.text])

  await newLabel(scene, { gateway, taken: String(taken.body['sealed']) })
  await gateway.end('SIGTERM')
}

/** What was reserved by the photo is over with the label on it, also where the gateway is soon somebody's again. */
async function newLabel(
  scene: ClaimScene,
  { gateway, taken }: { gateway: Parameters<ClaimScene['claim']>[0]; taken: string },
): Promise<void> {
  const { site } = scene
  const freed = await site.ask('acme:ana', 'POST /v1/organisations/acme/gateways/GW-6/release')
  await gateway.until('unclaimed')
  await scene.untilCloud('GW-6', 'unclaimed')
  await postedAt(gateway, '/v1/claim/documents', { documents: [taken] })
  // The gateway asks the cloud anew what there is for it, and somebody presses the button without a thought.
  await gateway.end('SIGKILL')
  await gateway.start()
  await sleep(HEARD_MS)
  site.press('GW-6')
  await sleep(HEARD_MS)
  scene.holds('an old photo and the button', (await gateway.facts())['state'], 'unclaimed')
  const label = labelOf(String(freed.body['label']))
  const refused = await scene.claim(gateway, taken, label)
  scene.holds(
    'an old reservation with the new label',
    [refused.status, refused.body['code']],
    [403, 'CLAIM_REFUSED'],
  )
  const { sealed } = await scene.ticket('acme:ana', { serials: ['GW-6'] })
  scene.holds('the new label', (await scene.claim(gateway, sealed, label)).body['organisation'], 'acme')
  await gateway.until('claimed')
}
