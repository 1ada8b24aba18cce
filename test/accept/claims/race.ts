import { labelOf } from '../../support/claims.ts'
import { type ClaimScene, orgOf } from './scene.ts'

const BOTH = ['acme:ana', 'borealis:bea'] as const

/** Two installers at one gateway without a link; receipts by phone and by link; a ticket with one use used twice. */
export async function offlineRace(scene: ClaimScene): Promise<void> {
  const { site } = scene
  scene.cut()
  const [first, second] = [await site.addGateway('GW-1'), await site.addGateway('GW-2')]
  await Promise.all([first.start(), second.start()])
  const tickets = [await scene.ticket('acme:ana'), await scene.ticket('borealis:bea')] as const
  const answers = await Promise.all(tickets.map(({ sealed }) => scene.claim(first, sealed)))
  scene.holds('one of two', answers.map(({ status }) => status).toSorted(), [200, 403])
  const at = answers[0]?.status === 200 ? 0 : 1
  const [winner, ticket] = [BOTH[at], tickets[at]]
  const org = orgOf(winner)

  const again = await scene.claim(second, ticket.sealed)
  scene.holds('the second use, unseen by the cloud', again.body['state'], 'provisional')
  const receipt = again.body['receipt']
  for (const time of ['first', 'again'])
    scene.holds(`by phone, ${time}`, await scene.bring('GW-2', receipt), ['confirmed', null])
  await scene.rejoin(first, second)
  await second.until('claimed')
  const { receipt: used } = await first.until('disputed')
  scene.holds('by phone after the link', await scene.bring('GW-1', used), ['disputed', 'used-up'])
  scene.holds('a dispute is nobody’s', (await scene.look('GW-1'))['org'], null)
  await site.ask('operator', 'POST /v1/operator/claims/gateways/GW-1/decision', { org })
  scene.holds('decided', (await first.until('claimed'))['organisation'], org)
  const { owners } = await scene.look('GW-2')
  scene.holds('one owner', (owners as unknown[]).length, 1)
  await Promise.all([first.end('SIGTERM'), second.end('SIGTERM')])
}

/** A ticket revoked before and after its receipt; two reservations through the cloud, and the label at the gateway. */
export async function revokedAndReserved(scene: ClaimScene): Promise<void> {
  const { site } = scene
  const [before, reserved] = [await site.addGateway('GW-3'), await site.addGateway('GW-4')]
  await Promise.all([before.start(), reserved.start()])
  scene.cut()
  const ticket = await scene.ticket('acme:ana', { serials: ['GW-3'] })
  scene.holds('by ticket', (await scene.claim(before, ticket.sealed)).status, 200)
  await scene.revoke('acme:ana', ticket.id)
  const mine = await scene.reserve('acme:ana', labelOf(reserved.label))
  const theirs = await scene.reserve('borealis:bea', labelOf(reserved.label))
  scene.holds('both reserve', [mine.status, theirs.status], [201, 201])
  const won = await scene.claim(reserved, String(theirs.body['sealed']))
  scene.holds('one is there', won.body['organisation'], 'borealis')
  const late = await scene.claim(reserved, String(mine.body['sealed']))
  scene.holds('the other is late', [late.status, late.body['code']], [403, 'CLAIM_REFUSED'])
  await scene.rejoin(before, reserved)
  await before.until('disputed')
  scene.holds('the reservation holds', (await reserved.until('claimed'))['organisation'], 'borealis')
  await scene.revoke('borealis:bea', String(theirs.body['ticket']))
  const { state, org } = await scene.look('GW-4')
  scene.holds('revoked after', [state, org], ['claimed', 'borealis'])
  await Promise.all([before.end('SIGTERM'), reserved.end('SIGTERM')])
}
