import { setTimeout as sleep } from 'node:timers/promises'
import { claimAt } from '../../support/claim-site.ts'
import { labelOf } from '../../support/claims.ts'
import { parseLabel } from '../../../cloud-sync/codec/index.ts'
import type { GatewayId } from '../../../cloud-sync/contract/index.ts'
import { type ClaimScene, guessOf } from './scene.ts'

/** The gateway looks at its button every second. */
const SEEN_MS_MAX = 2_500

/** What is wrong cannot be told from the answer, guessing locks over a kill, and puts out no claim that is made. */
export async function guesses(scene: ClaimScene): Promise<void> {
  const { site } = scene
  const gateway = await site.addGateway('GW-5')
  await gateway.start()
  const label = labelOf(gateway.label)
  const { sealed } = await scene.ticket('acme:ana')
  const elsewhere = await scene.ticket('acme:ana', { serials: ['GW-1'] })

  scene.holds('a bad checksum is no label', parseLabel(`${gateway.label.slice(0, -1)}x`), undefined)
  const online = [
    await scene.reserve('borealis:bea', guessOf(label)),
    await scene.reserve('borealis:bea', { ...label, serial: 'GW-NONE' as GatewayId }),
  ]
  scene.holds(
    'refused alike by the cloud',
    new Set(online.map(({ status, text }) => `${status}${text}`)).size,
    1,
  )
  const held = await scene.reserve('acme:ana', label)
  scene.cut()
  const refused = [
    await claimAt(gateway, { label: guessOf(label), sealed }),
    await scene.claim(gateway, elsewhere.sealed),
    await claimAt(gateway, { label: guessOf(label), sealed: elsewhere.sealed }),
  ]
  scene.holds('refused alike on site', new Set(refused.map(({ status, text }) => `${status}${text}`)).size, 1)
  while ((await claimAt(gateway, { label: guessOf(label), sealed })).status === 403);
  await gateway.end('SIGKILL')
  await gateway.start()
  const locked = await scene.claim(gateway, sealed)
  scene.holds('locked after a kill', [locked.status, locked.body['code']], [429, 'CLAIM_LOCKED'])
  // The button needs no proof: what somebody guesses keeps nobody out who is there and has reserved it.
  scene.holds('reserved in spite of guesses', held.status, 201)
  await scene.rejoin(gateway)
  site.press('GW-5')
  await gateway.until('claimed')
  const taken = await scene.reserve('borealis:bea', label)
  scene.holds('one that is taken is refused alike', taken.text, online[0]?.text)

  const freed = await site.ask('acme:ana', 'POST /v1/organisations/acme/gateways/GW-5/release')
  await gateway.until('unclaimed')
  const reused = await scene.reserve('borealis:bea', label)
  scene.holds(
    'the old code after a release',
    [reused.status, reused.text],
    [online[0]?.status, online[0]?.text],
  )
  // The cloud gives it to nobody else before it has heard that the gateway knows.
  await scene.untilCloud('GW-5', 'unclaimed')
  // What was reserved with the old label is over too: the button gives the gateway to nobody.
  await scene.rejoin(gateway)
  await gateway.linked()
  site.press('GW-5')
  await sleep(SEEN_MS_MAX)
  scene.holds('an old reservation after a release', (await gateway.facts())['state'], 'unclaimed')
  const audit = await site.ask('acme:ana', 'GET /v1/organisations/acme/audit')
  scene.holds('the owner reads of the release', audit.text.includes('"gateway.release"'), true)
  const next = await scene.reserve('borealis:bea', labelOf(String(freed.body['label'])))
  scene.holds('the new code', next.status, 201)
  await gateway.end('SIGTERM')
}
