import { expect, onTestFinished, test } from 'vitest'
import { createCuts } from '../../../../cloud-sync/cloud/cuts.ts'
import type { GatewayId, Hash } from '../../../../cloud-sync/contract/index.ts'
import { done } from '../../../support/directory-world.ts'
import { fakeGateway } from '../../../support/fake-gateway.ts'
import { type SeededCloud, seededCloud } from '../../../support/seeded-cloud.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'
import { silent } from '../../../support/test-ledger.ts'

const GW1 = 'GW-1' as GatewayId
const gateways = [fakeGateway('GW-1', '0'), fakeGateway('GW-2', '0')]
const ACK = 'c'.repeat(64) as Hash

async function opened(): Promise<SeededCloud> {
  const open = await seededCloud(temporaryFolder(), { gateways })
  onTestFinished(() => open.close())
  return open
}

test('the next snapshot after the acceptance shows the next epoch, and its acknowledgement completes the transfer', async () => {
  const open = await opened()
  const { directory, policies } = open
  await directory.person('dora', 'delta')
  const offered = { org: 'acme', gateway: GW1, to: 'delta' }
  const { transfer } = await done(directory.write.transfers.offer(directory.as('ana', 'acme'), offered))
  await policies.caughtUp()
  const before = await open.snapshot(GW1)
  expect(before.owner).toMatchObject({ org: 'acme', ownerEpoch: 1 })
  await done(directory.write.transfers.accept(directory.as('dora', 'delta'), { org: 'delta', transfer }))
  await policies.caughtUp()
  const after = await open.snapshot(GW1)
  expect(after.owner).toMatchObject({ org: 'delta', ownerEpoch: 2, custodian: null })
  const [theirs, guests] = [
    after.devices.filter(({ org }) => org === 'delta'),
    after.devices.filter(({ org }) => org !== 'delta'),
  ]
  expect(theirs.map(({ ownerEpoch }) => ownerEpoch)).toEqual(theirs.map(() => 2))
  expect(guests.map(({ ownerEpoch }) => ownerEpoch)).toEqual(guests.map(() => 1))
  expect(after.devices.some(({ org }) => org === 'acme')).toBe(false)

  const cuts = createCuts({ directory, store: directory.store, log: silent })
  const state = async () => (await directory.store.read.get('gateway_transfer', { id: transfer }))?.state
  expect(await state()).toBe('accepted')
  await cuts.sealed(GW1)
  expect(await state()).toBe('settling')
  const owner = async () => (await directory.store.read.get('gateway', { id: GW1 }))?.org
  const say = (version: number) =>
    cuts.applied({ gateway: GW1, order: { generation: after.generation, version }, acknowledged: ACK })
  await say(before.version)
  expect(await owner()).toBe('acme')
  // Until the gateway has cut, the cloud decides by what is in force there.
  const decided = () => policies.policyOf(GW1)?.owner
  expect(decided()).toMatchObject({ org: 'acme', ownerEpoch: 1 })
  expect(policies.gateway(GW1)?.org).toBe('acme')
  await say(after.version)
  expect(await owner()).toBe('delta')
  await say(after.version)
  expect(await state()).toBe('done')
  await policies.caughtUp()
  // The directory is now what the gateway was told: no other version is made of it.
  expect((await open.snapshot(GW1)).version).toBe(after.version)
  expect(decided()).toMatchObject({ org: 'delta', ownerEpoch: 2 })
  expect(policies.gateway(GW1)?.org).toBe('delta')
})

test('a transfer is settled from the moment at which the policy of the next epoch is there, and once', async () => {
  const { directory, policies, ...open } = await opened()
  await directory.person('dora', 'delta')
  const offered = { org: 'acme', gateway: GW1, to: 'delta' }
  const { transfer } = await done(directory.write.transfers.offer(directory.as('ana', 'acme'), offered))
  const cuts = createCuts({ directory, store: directory.store, log: silent })
  const unlisten = policies.onSealed((gateway) => void cuts.sealed(gateway))
  onTestFinished(unlisten)
  const state = async () => (await directory.store.read.get('gateway_transfer', { id: transfer }))?.state
  await cuts.sealed(GW1)
  expect(await state()).toBe('offered')
  await done(directory.write.transfers.accept(directory.as('dora', 'delta'), { org: 'delta', transfer }))
  await policies.caughtUp()
  await expect.poll(state).toBe('settling')
  // A gateway that still has the policy before says so, as often as it likes.
  const acknowledged = ACK
  for (const version of [1, 1])
    await cuts.applied({ gateway: GW1, order: { generation: 1, version }, acknowledged })
  expect(await state()).toBe('settling')
  expect(await directory.store.read.find('audit', { what: 'gateway.settle-transfer' })).toHaveLength(1)
  const { version } = await open.snapshot(GW1)
  await cuts.applied({ gateway: GW1, order: { generation: 1, version }, acknowledged })
  expect(await state()).toBe('done')
})

test('a gateway is told what a custom role takes away', async () => {
  const open = await opened()
  const { directory, policies } = open
  const asAna = () => directory.as('ana', 'acme')
  await directory.person('eve')
  await directory.joins('eve', 'acme', 'editor', 'ana')
  const quiet = { org: 'acme', name: 'Quiet', without: ['device.operate' as const] }
  const { role } = await done(directory.write.roles.create(asAna(), quiet))
  await done(directory.write.members.setCustomRole(asAna(), { org: 'acme', user: 'eve', role }))
  await policies.caughtUp()
  const { members, roles } = await open.snapshot(GW1)
  expect(members.find(({ name }) => name === 'eve')).toMatchObject({ role: 'editor', custom: role })
  expect(roles).toEqual([{ id: role, org: 'acme', name: 'Quiet', without: ['device.operate'] }])
})
