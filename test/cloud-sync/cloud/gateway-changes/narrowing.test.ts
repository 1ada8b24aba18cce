import { expect, test } from 'vitest'
import { CLOUD_REPLICA, type GatewayChange } from '../../../../cloud-sync/contract/index.ts'
import { done } from '../../../support/directory-world.ts'
import { GW1, type JudgedSite, judgedSite, TILT } from '../../../support/judged-site.ts'

const ana = ({ cloud }: JudgedSite) => cloud.directory.as('ana', 'acme')
const member = (name: string, org = 'acme') => ({ kind: 'member', org, name, incarnation: 1 })
const shared = async (
  here: JudgedSite,
  thing: Parameters<JudgedSite['cloud']['directory']['write']['shares']['share']>[1]['thing'] = TILT,
) => {
  const { grant } = await done(
    here.cloud.directory.write.shares.share(ana(here), {
      org: 'acme',
      thing,
      to: { kind: 'user', user: 'bob' },
    }),
  )
  await here.cloud.policies.caughtUp()
  await here.hears()
  return grant
}
const grantsOfBob = async ({ cloud }: JudgedSite) =>
  (await cloud.directory.store.read.find('grant', { principal: 'bob' })).map(({ state }) => state)

test('a workspace and a view that were shown are taken back on site, for good', async () => {
  const here = await judgedSite()
  const { directory, policies } = here.cloud
  const { write } = directory
  const { workspace } = await done(write.workspaces.create(ana(here), { org: 'acme', name: 'Dam' }))
  const device = { org: 'acme', gateway: GW1, device: 'placed', name: 'Placed', workspace }
  await done(write.gateways.addDevice(ana(here), device))
  await done(write.workspaces.setLevel(ana(here), { org: 'acme', workspace, user: 'bob', level: 'editor' }))
  const view = { org: 'acme', name: 'map', kind: 'map' as const, gateways: [GW1], definition: {} }
  const { view: item } = await done(write.views.save(ana(here), view))
  await shared(here, { kind: 'view', resource: item })
  expect(await here.shares()).toEqual(['bob editor', 'bob viewer', 'bob viewer'])
  for (const on of [
    { kind: 'workspace', workspace },
    { kind: 'item', item },
  ])
    expect(await here.take(here.edge.make('acme:ana', { kind: 'grant.remove', on, to: member('bob') }))).toBe(
      'accepted',
    )
  await policies.caughtUp()
  expect(await here.shares()).toEqual([])
  expect(await grantsOfBob(here)).toEqual(['revoked', 'revoked', 'revoked'])
})

test('what is shown of a device ends with the device, also for a gateway that goes on reading it', async () => {
  const here = await judgedSite()
  await shared(here)
  await shared(here, { kind: 'sensor', resource: 'GW-1/tilt-1/main' })
  const onSite = here.edge.revoke('acme:ana', 'acme:bob')
  const { write } = here.cloud.directory
  await done(write.gateways.removeDevice(ana(here), { org: 'acme', device: TILT.resource }))
  await here.cloud.policies.caughtUp()
  expect(await here.shares()).toEqual([])
  expect(await grantsOfBob(here)).toEqual(['revoked', 'revoked'])
  // Made there before it heard of the removal.
  expect(await here.take(onSite)).toBe('accepted')
})

/** As if made under a policy that nobody has any more. */
const unseen = (change: GatewayChange): GatewayChange => ({
  ...change,
  proposal: { ...change.proposal, seen: { ...change.proposal.seen, [CLOUD_REPLICA]: 1_000 } },
})

test('what was taken away under a policy that is not known any more stays taken away', async () => {
  const here = await judgedSite()
  await shared(here)
  const revocation = here.edge.revoke('acme:adam', 'acme:bob')
  const { write } = here.cloud.directory
  await done(write.members.changeRole(ana(here), { org: 'acme', user: 'adam', role: 'member' }))
  expect(await here.take(unseen(revocation))).toBe('accepted')
  expect(await here.shares()).toEqual([])
  // What gives proves nothing, and neither does what only the cloud decides or what is aimed at an owner.
  expect(await here.take(unseen(here.edge.share('acme:ana', 'acme:bob')))).toBe('void past-unknown')
  for (const change of [
    { kind: 'member.set', org: 'acme', name: 'bob', role: 'admin', incarnation: 1 },
    { kind: 'member.remove', org: 'acme', name: 'ana' },
    { kind: 'key.block', org: 'acme', name: 'meter' },
  ])
    expect(await here.take(unseen(here.edge.make('acme:adam', change)))).toBe('refused cloud-only')
  const elsewhere = { kind: 'workspace', workspace: 'not-here' }
  const foreign = { kind: 'grant.remove', on: elsewhere, to: member('bob') }
  expect(await here.take(unseen(here.edge.make('acme:ana', foreign)))).toBe('refused unknown-resource')
  expect(await here.shares()).toEqual([])
})

test('the policy by which a gateway decides is kept until it has another, however many are made meanwhile', async () => {
  const here = await judgedSite()
  const { directory, policies } = here.cloud
  const { version } = await here.cloud.snapshot(GW1)
  await policies.applied(GW1, version)
  let named = 0
  const makes = async (count: number): Promise<void> => {
    for (let made = 0; made < count; made += 1) {
      const name = `Acme ${(named += 1)}`
      await done(directory.write.organisations.update(ana(here), { org: 'acme', name }))
      await policies.caughtUp()
    }
  }
  const kept = async () => {
    const rows = await directory.store.read.find('gateway_policy', { gateway: GW1 }, { orderBy: ['version'] })
    return { count: rows.length, isThere: rows[0]?.version === version }
  }
  await makes(70)
  expect(await kept()).toEqual({ count: 65, isThere: true })
  // Of one before the newest that it has, changes may still be on their way.
  await policies.applied(GW1, version + 70)
  await makes(1)
  expect(await kept()).toEqual({ count: 65, isThere: true })
  await policies.applied(GW1, version + 71)
  expect(await kept()).toEqual({ count: 64, isThere: false })
})
