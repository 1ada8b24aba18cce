import { expect, test } from 'vitest'
import type { GatewayChange } from '../../../../cloud-sync/contract/index.ts'
import type { ChangesAtGateway } from '../../../support/changes-at-gateway.ts'
import { done } from '../../../support/directory-world.ts'
import { GW1, type JudgedSite, judgedSite, TILT } from '../../../support/judged-site.ts'

const share = ({ cloud }: JudgedSite, user: string, level: 'viewer' | 'editor') =>
  done(
    cloud.directory.write.shares.share(cloud.directory.as('ana', 'acme'), {
      org: 'acme',
      thing: TILT,
      to: { kind: 'user', user: user },
      level,
    }),
  )
const revoke = ({ cloud }: JudgedSite, grant: string) =>
  done(cloud.directory.write.shares.revoke(cloud.directory.as('ana', 'acme'), { org: 'acme', grant }))
const roleOf = ({ cloud }: JudgedSite, user: string, role: 'admin' | 'viewer') =>
  done(
    cloud.directory.write.members.changeRole(cloud.directory.as('ana', 'acme'), {
      org: 'acme',
      user: user,
      role,
    }),
  )

test('a share made on site is in the directory, its log, its audit and the next policy, once however often it comes', async () => {
  const here = await judgedSite()
  const { cloud, edge } = here
  const take = (change: GatewayChange) => here.take(change)
  const change = edge.share('acme:ana', 'acme:bob')
  expect(await take(change)).toBe('accepted')
  const after = await cloud.snapshot(GW1)
  expect(after.heard).toEqual({ replica: edge.replica, upTo: 1 })
  expect(after.grants).toMatchObject([
    { level: 'viewer', by: { org: 'acme', name: 'ana' }, expiresAt: expect.any(Number) as number },
  ])
  const { read } = cloud.directory.store
  const entries = await read.find('policy_log', { kind: 'gateway.change' })
  expect(entries.map(({ chain }) => chain)).toEqual(['org:acme'])
  expect(JSON.parse(entries[0]?.entry ?? '')).toMatchObject({
    actor: { kind: 'user', id: 'ana', org: 'acme' },
  })
  expect(await read.find('audit', { what: 'gateway.change' })).toMatchObject([
    { actor: 'ana', org: 'acme', outcome: 'done' },
  ])
  expect(await take(change)).toBe('accepted')
  expect(await cloud.snapshot(GW1)).toEqual(after)
  expect(await read.find('policy_log', { kind: 'gateway.change' })).toHaveLength(1)
})

test('what comes before its turn waits, and another change under the same number counts for nothing', async () => {
  const here = await judgedSite()
  const [first, second] = [here.edge.share('acme:ana', 'acme:bob'), here.edge.revoke('acme:ana', 'acme:bob')]
  expect(await here.take(second)).toBe('waits')
  expect(await here.take(first)).toBe('accepted')
  expect(await here.take({ ...second, proposal: { ...second.proposal, dot: first.proposal.dot } })).toBe(
    'refused forked',
  )
  expect(await here.shares()).toEqual(['bob viewer'])
  expect(await here.take(second)).toBe('accepted')
  expect(await here.shares()).toEqual([])
})

const noRight: readonly [string, (edge: ChangesAtGateway) => GatewayChange, string][] = [
  ['who has not the right', (edge) => edge.share('acme:bob', 'acme:adam'), 'refused role'],
  ['who is no member', (edge) => edge.share('acme:eve', 'acme:bob'), 'refused unknown-principal'],
  [
    'more than viewing',
    (edge) => edge.share('acme:ana', 'acme:bob', { level: 'editor' }),
    'refused viewer-only-here',
  ],
  [
    'what crosses without a policy',
    (edge) => edge.share('acme:ana', 'cobalt:cid'),
    'refused no-cross-policy',
  ],
  [
    'a role, which only the cloud gives',
    (edge) =>
      edge.make('acme:ana', { kind: 'member.set', org: 'acme', name: 'bob', role: 'admin', incarnation: 1 }),
    'refused cloud-only',
  ],
  [
    'a whole workspace',
    (edge) => edge.share('acme:ana', 'acme:bob', { on: { kind: 'workspace', workspace: 'w-1' } }),
    'refused unknown-resource',
  ],
  [
    'the last owner’s membership',
    (edge) => edge.make('acme:ana', { kind: 'member.remove', org: 'acme', name: 'ana' }),
    'refused last-owner',
  ],
]
test.for(noRight)('refused: %s', async ([, make, said]) => {
  const here = await judgedSite()
  expect(await here.take(make(here.edge))).toBe(said)
  expect(await here.shares()).toEqual([])
  // Heard all the same: the gateway need not send it again.
  expect((await here.cloud.snapshot(GW1)).heard?.upTo).toBe(1)
})

test('a revocation in the cloud that the author had not seen beats the share on site, and is named', async () => {
  const here = await judgedSite()
  const { grant } = await share(here, 'bob', 'viewer')
  await revoke(here, grant)
  expect(await here.take(here.edge.share('acme:ana', 'acme:bob'))).toMatch(/^void removed org:acme#\d+$/)
  expect(await here.shares()).toEqual([])
  // Who has heard of it may show it again.
  await here.cloud.policies.caughtUp()
  await here.hears()
  expect(await here.take(here.edge.share('acme:ana', 'acme:bob'))).toBe('accepted')
  expect(await here.shares()).toEqual(['bob viewer'])
})

test('a revocation on site ends what the cloud gave meanwhile, whichever comes first', async () => {
  const here = await judgedSite()
  await share(here, 'bob', 'viewer')
  await here.cloud.policies.caughtUp()
  await here.hears()
  const revocation = here.edge.revoke('acme:ana', 'acme:bob')
  await share(here, 'bob', 'editor')
  expect(await here.take(revocation)).toBe('accepted')
  expect(await here.shares()).toEqual([])
})

test('of two shares of the same thing made apart the lower one holds', async () => {
  const here = await judgedSite()
  const onSite = here.edge.share('acme:ana', 'acme:bob')
  await share(here, 'bob', 'editor')
  expect(await here.take(onSite)).toBe('accepted')
  expect(await here.shares()).toEqual(['bob viewer'])
})

test('who was demoted meanwhile gave nothing and yet took, and by their fall nobody rises', async () => {
  const here = await judgedSite()
  await share(here, 'bob', 'viewer')
  await here.cloud.policies.caughtUp()
  await here.hears()
  const [revocation, given] = [
    here.edge.revoke('acme:adam', 'acme:bob'),
    here.edge.share('acme:adam', 'acme:ana'),
  ]
  await roleOf(here, 'adam', 'viewer')
  // Beside the void one: capped by it.
  await share(here, 'ana', 'editor')
  expect(await here.take(revocation)).toBe('accepted')
  expect(await here.take(given)).toMatch(/^void role org:acme#\d+$/)
  expect(await here.shares()).toEqual(['ana viewer'])
})

test('a demotion that was taken back meanwhile voids all the same', async () => {
  const here = await judgedSite()
  const given = here.edge.share('acme:adam', 'acme:bob')
  await roleOf(here, 'adam', 'viewer')
  await roleOf(here, 'adam', 'admin')
  expect(await here.take(given)).toMatch(/^void role org:acme#\d+$/)
  expect(await here.shares()).toEqual([])
})

test('its own earlier changes are no surprise to a gateway: it shows again what it had ended itself', async () => {
  const here = await judgedSite()
  for (const change of [
    here.edge.share('acme:ana', 'acme:bob'),
    here.edge.revoke('acme:ana', 'acme:bob'),
    here.edge.share('acme:ana', 'acme:bob'),
  ])
    expect(await here.take(change)).toBe('accepted')
  expect(await here.shares()).toEqual(['bob viewer'])
})

test('leaving and an opt-out on site are so in the cloud', async () => {
  const here = await judgedSite()
  const { edge, cloud } = here
  const { read } = cloud.directory.store
  const optOut = { kind: 'alert.opt-out', on: { kind: 'device', device: 'tilt-1' }, alert: 'offline' }
  expect(await here.take(edge.make('acme:adam', optOut))).toBe('accepted')
  expect(await read.find('alert_opt_out', {})).toMatchObject([
    { user: 'adam', device: 'GW-1/tilt-1', kind: 'offline', org: 'acme' },
  ])
  const leave = edge.make('acme:adam', { kind: 'member.remove', org: 'acme', name: 'adam' })
  expect(await here.take(leave)).toBe('accepted')
  expect(await read.get('membership', { org: 'acme', user: 'adam' })).toMatchObject({ state: 'left' })
  expect((await cloud.snapshot(GW1)).members.map(({ name }) => name).sort()).toEqual(['ana', 'bea', 'bob'])
})

test('what was changed under an older owner is void, also what takes away', async () => {
  const here = await judgedSite()
  const { store } = here.cloud.directory
  const row = await store.read.get('gateway', { id: GW1 })
  if (row === undefined) throw new Error('no gateway')
  await store.transaction((tx) => tx.put('gateway', { ...row, owner_epoch: 2 }))
  const removal = here.edge.make('acme:ana', { kind: 'member.remove', org: 'acme', name: 'bob' })
  expect(await here.take(removal)).toBe('void old-epoch')
  expect(await store.read.get('membership', { org: 'acme', user: 'bob' })).toMatchObject({ state: 'active' })
})
