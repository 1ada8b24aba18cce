import { expect, onTestFinished, test } from 'vitest'
import { fitted } from '../../../../cloud-sync/cloud/policies/fit.ts'
import { type PolicyContent, projectGateway } from '../../../../cloud-sync/cloud/policies/project.ts'
import type { PolicyTrouble } from '../../../../cloud-sync/cloud/policies/troubles.ts'
import type { ResourceKind } from '../../../../cloud-sync/cloud/storage/index.ts'
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
        ...{ owner_epoch: 1, name, diagnostic: 0, state: 'active', created_at: 1 },
      })
  })
const many = Array.from({ length: POLICY_MAX.devices + 1 }, (_, index) => `a${index}`)
const grantsAt = async (open: SeededCloud, gateway: GatewayId): Promise<string[]> =>
  (await open.snapshot(gateway)).grants.map(({ id }) => id)

/** The gateway's own row: without it there is no policy. */
const noGateway = async ({ directory: { store } }: SeededCloud): Promise<void> => {
  const row = await store.read.get('gateway', { id: GW1 })
  await store.transaction(async (tx) => row && tx.put('gateway', { ...row, custodian: 'NOT A NAME' }))
}

test.each<[string, (open: SeededCloud) => Promise<void>, Omit<PolicyTrouble, 'gateway'>]>([
  [
    'whose facts do not fit',
    (open) => devices(open, many),
    { leftOut: { devices: 3 }, leftOutOf: { acme: 3 }, damaged: {} },
  ],
  [
    'with a damaged device',
    (open) => devices(open, ['NOT A NAME']),
    { leftOut: {}, leftOutOf: {}, damaged: { devices: ['NOT A NAME'] } },
  ],
  ['that is damaged itself', noGateway, { leftOut: null, leftOutOf: {}, damaged: {} }],
])('a gateway %s keeps nobody else from hearing of a revocation', async (_what, damage, trouble) => {
  const folder = temporaryFolder()
  const open = await opened(folder)
  for (const gateway of [GW1, GW2]) expect(await open.change(share(gateway, shareOf(gateway)))).toBe('done')
  await damage(open)
  for (const gateway of [GW2, GW1])
    await open.change({ kind: 'share.revoked', id: shareOf(gateway), gateway, device: 'tilt-1' })
  expect(await grantsAt(open, GW2)).toEqual([])
  expect(open.policies.troubles()).toEqual([{ gateway: GW1, ...trouble }])
  // Where one can be made of the rest, that gateway hears of it too, and keeps what it knew.
  expect(await grantsAt(open, GW1)).toEqual(trouble.leftOut === null ? [shareOf(GW1)] : [])
  const known = (await open.snapshot(GW1)).devices.map(({ id }) => id)
  expect(known).toEqual(expect.arrayContaining(['level-1', 'tilt-1']))

  await open.policies.stop()
  const again = await opened(folder)
  expect(again.policies.gateway(GW1)?.org).toBe('acme')
  expect(await grantsAt(again, GW2)).toEqual([])
  expect(again.policies.troubles()).toEqual([{ gateway: GW1, ...trouble }])
})

/** A share of the guest's device as it came in before a path had to be as long as its kind says. */
const misnamed = (kind: ResourceKind, resource: string) => ({
  ...{ id: 'misnamed', org: 'borealis', resource_kind: kind, resource, level: 'editor' as const },
  ...{ principal_kind: 'user' as const, principal: 'bea', principal_org: 'borealis', incarnation: 1 },
  ...{ granted_by: 'bea', granted_by_org: 'borealis', granted_by_incarnation: 1, owner_epoch: 1 },
  ...{ via: null, expires_at: null, state: 'live' as const, brought_by: null, created_at: 1 },
})

test.each<[ResourceKind, string]>([
  ['gateway', 'GW-1/level-1'],
  ['device', 'GW-1/level-1/main'],
  ['sensor', 'GW-1/level-1'],
])(
  "a guest's share of the %s %s stops no revocation of the host's, and gives nothing",
  async (kind, path) => {
    const open = await opened()
    const { directory: d, policies } = open
    const row = misnamed(kind, path)
    await d.store.transaction((tx) => tx.put('grant', row))
    await done(d.write.members.remove(d.as('ana', 'acme'), { org: 'acme', user: 'bob' }))
    await policies.caughtUp()
    const { members, grants } = await open.snapshot(GW1)
    expect(members.map(({ org, name }) => `${org}:${name}`)).not.toContain('acme:bob')
    expect(grants).toEqual([])
    expect(policies.troubles()).toEqual([
      { gateway: GW1, leftOut: {}, leftOutOf: {}, damaged: { grants: ['misnamed'] } },
    ])
    await d.store.transaction((tx) => tx.put('grant', { ...row, state: 'revoked' }))
    await policies.recheck()
    expect(policies.troubles()).toEqual([])
  },
)

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
  expect(fitted(told, () => told)).toEqual({ content: told, leftOut: {}, leftOutOf: {} })

  const crowd = Array.from({ length: POLICY_MAX.members }, (_, index) => ({
    ...content.members[0],
    name: `a${index}`,
    role: 'member',
  })) as PolicyContent['members']
  const crowded = fitted({ ...content, members: [...crowd, ...content.members] }, () => undefined).content
  expect(crowded.members.filter(({ role }) => role === 'owner').map(({ name }) => name)).toContain('ana')
})

test('a guest crowds out nobody: who owns the gateway comes first, and what a guest brings too much of goes first', async () => {
  const open = await opened()
  const content = (await projectGateway(open.directory.store.read, GW1)) as PolicyContent
  const device = (id: string, org: string) => ({ ...content.devices[0], id, org })
  const reaches = (id: string, to: string) => ({
    ...{ id: `to-${to}`, on: { kind: 'device', device: id }, to: { kind: 'org', org: to } },
    ...{ level: 'viewer', ownerEpoch: 1 },
  })
  const keys = (org: string, count: number, first = 0) =>
    Array.from({ length: count }, (_, index) => ({
      ...{ org, name: `k-${first + index}`, member: `m-${index % 80}`, incarnation: 1, scope: 'full' },
      hash: String(first + index).padStart(64, '0'),
    }))
  // A guest with 12,000 keys, its own and of two organisations to which it shows its device; and a quiet one.
  const crowd = [...keys('crowd', 4_000), ...keys('crowd-2', 4_000), ...keys('crowd-3', 4_000)]
  const rest = [...keys('acme', 30), ...keys('quiet', 40), ...keys('shown', 50)]
  const asked = (more: readonly object[]) =>
    ({
      ...content,
      devices: [...content.devices, device('crowd-dev', 'crowd'), device('quiet-dev', 'quiet')],
      grants: [reaches('crowd-dev', 'crowd-2'), reaches('crowd-dev', 'crowd-3'), reaches('own-dev', 'shown')],
      keys: [...crowd, ...more],
    }) as unknown as PolicyContent
  const of = ({ keys: kept }: PolicyContent, org: string) => kept.filter((key) => key.org === org).length
  // The crowd was there first, with as many as there is room for.
  const { content: told } = fitted(asked([]), () => undefined)
  expect(told.keys).toHaveLength(POLICY_MAX.keys)
  const { content: fit, leftOut, leftOutOf } = fitted(asked(rest), () => told)
  expect(['acme', 'quiet', 'shown'].map((org) => of(fit, org))).toEqual([30, 40, 50])
  // Of the crowd its own people come before those whom it brings, and what there is room for stays.
  expect(of(fit, 'crowd')).toBeGreaterThanOrEqual(POLICY_MAX.keys / 4)
  expect(fit.keys).toHaveLength(POLICY_MAX.keys)
  expect(leftOut).toEqual({ keys: 2_120 })
  // Of nobody else is anything left out, and it is told of whom.
  expect(Object.keys(leftOutOf).filter((org) => !org.startsWith('crowd'))).toEqual([])
  const { content: later } = fitted(asked([...rest, ...keys('acme', 5_000, 30)]), () => fit)
  expect(['acme', 'quiet', 'shown'].map((org) => of(later, org))).toEqual([5_030, 40, 50])
})
