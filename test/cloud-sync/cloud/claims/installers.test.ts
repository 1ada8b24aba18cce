import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { provisionalPolicy } from '../../../../agent/claim/provisional.ts'
import { compilePolicy, decide } from '../../../../cloud-sync/access/index.ts'
import { ClaimTicket, GatewayId, type MemberName, type OrgId } from '../../../../cloud-sync/contract/index.ts'
import { newKey, receiptBy, testRoot } from '../../../support/claims.ts'
import { done, openTestDirectory } from '../../../support/directory-world.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'

const gateway = GatewayId.parse('GW-1')
const { cloudId, seal } = testRoot()
const raise = (what: string): never => {
  throw new Error(`there is no ${what}`)
}

test('a ticket tells of what its installer lacks, and ends with them', async () => {
  const target = { dialect: 'sqlite', path: join(temporaryFolder(), 'd.db') } as const
  const d = await openTestDirectory(target, { seal: () => seal })
  onTestFinished(() => d.close())
  const key = newKey()
  await d.person('ana', 'acme')
  await done(d.write.claims.provision(d.operator(), { gateway, model: 'HG-4', publicKey: key.publicKey }))
  for (const name of ['ivan', 'iris']) {
    await d.person(name)
    await d.joins(name, 'acme', 'admin', 'ana')
  }
  const asAna = () => d.as('ana', 'acme')
  const { role } = await done(
    d.write.roles.create(asAna(), { org: 'acme', name: 'No pumps', without: ['device.operate'] }),
  )
  await done(d.write.members.setCustomRole(asAna(), { org: 'acme', user: 'ivan', role }))
  const issued = async (installer: string) =>
    (await done(d.write.tickets.issue(d.as(installer, 'acme'), { org: 'acme' }))).ticket
  const [ofIvan, ofIris] = [await issued('ivan'), await issued('iris')]
  const row = async (id: string) => (await d.store.read.get('claim_ticket', { id })) ?? raise(id)
  const policy = provisionalPolicy(ClaimTicket.parse(JSON.parse((await row(ofIvan)).body)), gateway, 1)
  const operates = (name: string) =>
    decide(
      {
        principal: { org: 'acme' as OrgId, name: name as MemberName },
        action: 'device.operate',
        resource: { kind: 'gateway' },
        when: { place: 'gateway', at: 1, signed: true },
      },
      compilePolicy(policy),
    ).allowed
  expect([operates('ivan'), operates('ana')]).toEqual([false, true])
  await done(d.write.members.remove(asAna(), { org: 'acme', user: 'ivan' }))
  expect(await row(ofIvan)).toMatchObject({ state: 'revoked' })
  expect(await row(ofIris)).toMatchObject({ state: 'live' })
  // As directories have it from before tickets ended with the membership.
  await d.store.transaction(async (tx) => tx.put('claim_ticket', { ...(await row(ofIvan)), state: 'live' }))
  await d.joins('ivan', 'acme', 'admin', 'ana')
  const said = { gateway, org: 'acme', ticket: ofIvan, installer: 'ivan' }
  const receipt = receiptBy(key, cloudId, said)
  const receive = d.write.claims.receive(d.visitor(), { gateway, receipt })
  expect(await done(receive)).toMatchObject({
    verdict: 'disputed',
    because: 'installer-gone',
  })
})
