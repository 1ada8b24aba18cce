import { labelOf } from '../../support/claims.ts'
import type { ClaimScene } from './scene.ts'

/** Last byte of the signed text, so that only the signature can tell. */
function tampered(receipt: string): string {
  const bytes = Buffer.from(receipt, 'base64')
  const at = bytes.length - 2
  bytes[at] = (bytes[at] ?? 0) ^ 1
  return bytes.toString('base64')
}

/** A receipt again: for the same owner, another gateway, after a release, and after somebody else has claimed. */
export async function receipts(scene: ClaimScene): Promise<void> {
  const { site } = scene
  const [gateway, other] = [await site.addGateway('GW-7'), await site.addGateway('GW-8')]
  await gateway.start()
  scene.cut()
  const first = await scene.ticket('acme:ana')
  const receipt = (await scene.claim(gateway, first.sealed)).body['receipt']

  const refused = [
    await scene.bringAs('GW-8', receipt),
    await scene.bringAs('GW-NONE', receipt),
    await scene.bringAs('GW-7', tampered(String(receipt))),
    await scene.bringAs('GW-7', 'AAAA'),
  ]
  const texts = new Set(refused.map(({ status, text }) => `${status}${text}`))
  scene.holds('what is no receipt of this gateway is refused alike', [...texts].length, 1)
  scene.holds('as a claim is', refused[0]?.body['code'], 'DIRECTORY_CLAIM_REFUSED')

  const many = await Promise.all(Array.from({ length: 8 }, () => scene.bring('GW-7', receipt)))
  scene.holds('eight times at once', new Set(many.map((one) => JSON.stringify(one))).size, 1)
  scene.holds('by phone', many[0], ['confirmed', null])
  await scene.rejoin(gateway)
  await gateway.until('claimed')
  await countsOnce(scene, 'by phone and by link', { org: 'acme', owners: 1 })

  const freed = await site.ask('acme:ana', 'POST /v1/organisations/acme/gateways/GW-7/release')
  await gateway.until('unclaimed')
  await scene.untilCloud('GW-7', 'unclaimed')
  await scene.bring('GW-7', receipt)
  scene.holds('after the release', (await scene.look('GW-7'))['org'], null)
  const second = await scene.ticket('borealis:bea', { serials: ['GW-7'] })
  const again = await scene.claim(gateway, second.sealed, labelOf(String(freed.body['label'])))
  scene.holds('claimed by somebody else', again.body['organisation'], 'borealis')
  await gateway.until('claimed')
  const before = await scene.look('GW-7')
  await scene.bring('GW-7', receipt)
  await scene.bring('GW-7', again.body['receipt'])
  scene.holds('replayed to the next owner', await scene.look('GW-7'), before)
  scene.holds('whose it is', [before['org'], (before['owners'] as unknown[]).length], ['borealis', 2])
  await gateway.end('SIGTERM')
  await other.end('SIGTERM')
}

async function countsOnce(
  scene: ClaimScene,
  what: string,
  wanted: { org: string; owners: number },
): Promise<void> {
  const { org, owners, receipts: kept } = await scene.look('GW-7')
  scene.holds(what, [org, (owners as unknown[]).length], [wanted.org, wanted.owners])
  scene.holds(`${what}: one line`, (kept as unknown[]).length, wanted.owners)
}

/** A ticket for one gateway, used on two that are both away; the receipts come by phone at the same moment. */
export async function twice(scene: ClaimScene): Promise<void> {
  const { site } = scene
  const gateways = [await site.addGateway('GW-A'), await site.addGateway('GW-B')] as const
  await Promise.all(gateways.map((gateway) => gateway.start()))
  scene.cut()
  const { sealed } = await scene.ticket('acme:ana')
  const claims = await Promise.all(gateways.map((gateway) => scene.claim(gateway, sealed)))
  scene.holds(
    'neither can know',
    claims.map(({ body }) => body['state']),
    ['provisional', 'provisional'],
  )
  const carried = claims.map(({ body }, at) => ({ at, receipt: body['receipt'] }))
  const verdicts = await Promise.all(
    carried.map(({ at, receipt }) => scene.bring(gateways[at]?.serial ?? '', receipt)),
  )
  scene.holds('exactly one counts', verdicts.map((one) => JSON.stringify(one)).toSorted(), [
    '["confirmed",null]',
    '["disputed","used-up"]',
  ])
  await scene.rejoin(...gateways)
  const [won, lost] = verdicts[0]?.[0] === 'confirmed' ? gateways : [gateways[1], gateways[0]]
  await Promise.all([won.until('claimed'), lost.until('disputed')])
  scene.holds('the one', (await scene.look(won.serial))['org'], 'acme')
  scene.holds('the other is nobody’s', (await scene.look(lost.serial))['org'], null)
  await Promise.all(gateways.map((gateway) => gateway.end('SIGTERM')))
}
