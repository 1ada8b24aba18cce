import { expect, onTestFinished, test } from 'vitest'
import { fitted } from '../../../../cloud-sync/cloud/policies/fit.ts'
import { type PolicyContent, projectGateway } from '../../../../cloud-sync/cloud/policies/project.ts'
import { POLICY_MAX, type GatewayId } from '../../../../cloud-sync/contract/index.ts'
import { done } from '../../../support/directory-world.ts'
import { fakeGateway } from '../../../support/fake-gateway.ts'
import { type SeededCloud, seededCloud } from '../../../support/seeded-cloud.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'

const GW1 = 'GW-1' as GatewayId
const GW2 = 'GW-2' as GatewayId
const gateways = [fakeGateway(GW1, '0'), fakeGateway(GW2, '1')]
const shareOf = (gateway: GatewayId): string => `of-${gateway.toLowerCase()}`
const share = (gateway: GatewayId, id: string) => ({
  ...{ kind: 'share.added', id, gateway, device: 'tilt-1', sensor: null, level: 'viewer' },
  to: { org: 'cobalt', member: null },
})

async function opened(folder = temporaryFolder()): Promise<SeededCloud> {
  const open = await seededCloud(folder, { gateways })
  onTestFinished(() => open.close())
  return open
}

/** As they were written before there was a bound, or by whatever goes round it. */
const devices = ({ directory }: SeededCloud, names: readonly string[]): Promise<void> =>
  directory.store.transaction(async (tx) => {
    for (const name of names)
      await tx.put('device', {
        ...{ path: `GW-1/${name}`, gateway: GW1, org: 'acme', workspace: null, custodian: null },
        ...{ owner_epoch: 1, name, state: 'active', created_at: 1 },
      })
  })
const many = Array.from({ length: POLICY_MAX.devices + 1 }, (_, index) => `a${index}`)
const grantsAt = async (open: SeededCloud, gateway: GatewayId): Promise<string[]> =>
  (await open.snapshot(gateway)).grants.map(({ id }) => id)

test.each([
  ['whose facts do not fit', many, { devices: 3 }],
  ['whose facts are damaged', ['NOT A NAME'], null],
])('a gateway %s keeps nobody else from hearing of a revocation', async (_what, names, leftOut) => {
  const folder = temporaryFolder()
  const open = await opened(folder)
  for (const gateway of [GW1, GW2]) expect(await open.change(share(gateway, shareOf(gateway)))).toBe('done')
  await devices(open, names)
  for (const gateway of [GW2, GW1])
    await open.change({ kind: 'share.revoked', id: shareOf(gateway), gateway, device: 'tilt-1' })
  expect(await grantsAt(open, GW2)).toEqual([])
  expect(open.policies.troubles()).toEqual([{ gateway: GW1, leftOut }])
  // Where a shorter one can be made, that gateway hears of it too, and keeps what it knew.
  expect(await grantsAt(open, GW1)).toEqual(leftOut === null ? [shareOf(GW1)] : [])
  const known = (await open.snapshot(GW1)).devices.map(({ id }) => id)
  expect(known).toEqual(expect.arrayContaining(['level-1', 'tilt-1']))

  await open.policies.stop()
  const again = await opened(folder)
  expect(again.policies.gateway(GW1)?.org).toBe('acme')
  expect(await grantsAt(again, GW2)).toEqual([])
  expect(again.policies.troubles()).toEqual([{ gateway: GW1, leftOut }])
})

test('a view that nobody shares is in no policy, and one that is shared is', async () => {
  const { directory, policies } = await opened()
  await directory.person('vic')
  const views = await Promise.all(
    ['own', 'shared'].map((name) =>
      done(
        directory.write.views.save(directory.as('ana', 'acme'), {
          ...{ org: 'acme', name, kind: 'map', gateways: [GW1], definition: {} },
        }),
      ),
    ),
  )
  const resource = views[1]?.view ?? ''
  await done(
    directory.write.shares.share(directory.as('ana', 'acme'), {
      ...{ org: 'acme', thing: { kind: 'view', resource }, to: { kind: 'user', user: 'bob' } },
    }),
  )
  await policies.caughtUp()
  expect(policies.policyOf(GW1)?.items).toMatchObject([{ id: resource, type: 'view' }])
  expect(policies.policyOf(GW1)?.grants).toMatchObject([{ on: { kind: 'item', item: resource } }, {}])
})

test('of what is too many bytes what was told before stays, and owners can always log in', async () => {
  const open = await opened()
  const content = (await projectGateway(open.directory.store.read, GW1)) as PolicyContent
  const grant = (id: number, name: string): PolicyContent['grants'][number] =>
    ({
      ...{ id: `${name}-${id}`, on: { kind: 'device', device: `d-${'x'.repeat(50)}` }, level: 'viewer' },
      ...{ to: { kind: 'member', org: 'acme', name: 'bob', incarnation: 1 }, ownerEpoch: 1 },
    }) as PolicyContent['grants'][number]
  const grants = (count: number, name: string) => Array.from({ length: count }, (_, id) => grant(id, name))
  const told = { ...content, grants: grants(5_000, 'old') }
  const asked = { ...content, grants: [...grants(25_000, 'new'), ...told.grants] }
  const { content: fit, leftOut } = fitted(asked, () => told)
  expect(Buffer.byteLength(JSON.stringify(fit))).toBeLessThan(4 * 1024 * 1024)
  expect(fit.grants.filter(({ id }) => id.startsWith('old-'))).toHaveLength(5_000)
  expect(leftOut).toEqual({ grants: asked.grants.length - fit.grants.length })
  // What was left out does not come and go.
  expect(fitted(asked, () => fit).content.grants.length).toBeLessThanOrEqual(fit.grants.length)
  expect(fitted(told, () => told)).toEqual({ content: told, leftOut: {} })

  const crowd = Array.from({ length: POLICY_MAX.members }, (_, index) => ({
    ...content.members[0],
    name: `a${index}`,
    role: 'member',
  })) as PolicyContent['members']
  const crowded = fitted({ ...content, members: [...crowd, ...content.members] }, () => undefined).content
  expect(crowded.members.filter(({ role }) => role === 'owner').map(({ name }) => name)).toContain('ana')
})
