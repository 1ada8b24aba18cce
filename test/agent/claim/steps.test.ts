import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openReceipt } from '../../../cloud-sync/codec/index.ts'
import { LoneGateway } from '../../accept/claims/lone-gateway.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

/** Gone at the `cutAt`-th thing that is written, and not before. */
function powerCut(cutAt: number): { step: () => void; cameTo: () => number } {
  let steps = 0
  return {
    step: () => {
      steps += 1
      if (steps >= cutAt) throw new Error('the power is gone')
    },
    cameTo: () => steps,
  }
}

test('with the power cut at any step of a claim on site, the same claim again comes to one owner, and no other does', async () => {
  const folder = temporaryFolder()
  let cutAt = 1
  for (let survived = false; !survived; cutAt += 1) {
    const provisioned = new LoneGateway(join(folder, String(cutAt)))
    await provisioned.start()
    const { step, cameTo } = powerCut(cutAt)
    const first = provisioned.restarted(step)
    await first.claim.start()
    const [own, other] = [first.ticket('own'), first.ticket('other')]
    const claim = (gateway: LoneGateway, ticket: typeof own) =>
      gateway.claim.claim({ ticket: ticket.sealed, proof: gateway.proof(gateway.label, ticket.id) })
    const said = await claim(first, own).catch(() => undefined)
    survived = said !== undefined
    expect(survived).toBe(cameTo() < cutAt)

    const again = first.restarted()
    await again.claim.start()
    const facts = await claim(again, own)
    expect(facts).toMatchObject({ state: 'provisional', organisation: 'acme', lockedSeconds: 0 })
    const message = Buffer.from(facts.receipt ?? '', 'base64')
    const { cloudId } = again.root
    const receipt = openReceipt(message, { cloudId, publicKey: facts.publicKey })
    expect(receipt).toMatchObject({ what: 'claimed', ticket: 'own' })
    if (said !== undefined) expect(facts.receipt).toBe(said.receipt)
    await expect(claim(again, other)).rejects.toMatchObject({ code: 'CLAIM_REFUSED' })
  }
  // Counted as a try, judged, its number promised, kept: before and after each.
  expect(cutAt - 1).toBe(9)
}, 60_000)
