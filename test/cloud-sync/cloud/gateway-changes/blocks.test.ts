import { beforeEach, expect, test } from 'vitest'
import type { GatewayChange } from '../../../../cloud-sync/contract/index.ts'
import { done, refusal } from '../../../support/directory-world.ts'
import { GW1, type JudgedSite, judgedSite, TILT } from '../../../support/judged-site.ts'

/** As on every judged site, and borealis, a guest of acme's gateway, has an administrator gil beside bea. */
let here: JudgedSite
beforeEach(async () => {
  here = await judgedSite()
  const { directory, policies } = here.cloud
  await directory.person('gil')
  await directory.joins('gil', 'borealis', 'admin', 'bea')
  await policies.caughtUp()
  await here.hears()
})

const by = (author: string, change: object): GatewayChange => here.edge.make(author, change)
const take = (change: GatewayChange): Promise<string> => here.take(change)
const as = (user: string, org: string) => here.cloud.directory.as(user, org)
const stateOf = async (org: string, user: string) =>
  (await here.cloud.directory.store.read.get('membership', { org, user }))?.state
const known = async () => {
  await here.cloud.policies.caughtUp()
  const { members, keys } = await here.cloud.snapshot(GW1)
  const names = members.map(
    ({ org, name, state }) => `${org}:${name}${state === 'active' ? '' : ` ${state}`}`,
  )
  return { members: names.sort(), keys: keys.map(({ org, name }) => `${org}:${name}`).sort() }
}
const MEMBERS = ['acme:adam', 'acme:ana', 'acme:bob', 'borealis:bea', 'borealis:gil']
const without = (gone: string): string[] => MEMBERS.filter((name) => name !== gone)

test.for([
  ['a guest of it', 'borealis', 'bea', 'gil'],
  ['its owner', 'acme', 'ana', 'bob'],
] as const)(
  'a member of %s who was removed or suspended on site is so at that gateway alone',
  async ([, org, owner, name]) => {
    expect(await take(by(`${org}:${owner}`, { kind: 'member.suspend', org, name }))).toBe('accepted')
    expect((await known()).members).toEqual([...without(`${org}:${name}`), `${org}:${name} suspended`].sort())
    expect(await take(by(`${org}:${owner}`, { kind: 'member.remove', org, name }))).toBe('accepted')
    expect((await known()).members).toEqual(without(`${org}:${name}`))
    expect(await stateOf(org, name)).toBe('active')
    // Shown to the organisation, which lifts it or does it everywhere.
    const { ask, write } = here.cloud.directory
    const blocks = await done(ask.gatewayBlocks.list(here.cloud.directory.actor(owner, org), { org }))
    expect(blocks).toMatchObject([
      { gateway: GW1, kind: 'suspended', subject: name, by: { kind: 'user', id: owner } },
      { gateway: GW1, kind: 'removed', subject: name },
    ])
    const lift = (user: string, block = '') => write.gatewayBlocks.lift(as(user, org), { org, block })
    expect(await refusal(lift(name, blocks[0]?.block))).not.toBe('done')
    for (const { block } of blocks) await done(lift(owner, block))
    expect((await known()).members).toEqual(MEMBERS)
    expect(await refusal(lift(owner, blocks[0]?.block))).toBe('DIRECTORY_NOT_FOUND')
  },
)

test('with the key of a gateway nobody leaves an organisation that does not own it', async () => {
  expect(await take(by('borealis:gil', { kind: 'member.remove', org: 'borealis', name: 'gil' }))).toBe(
    'accepted',
  )
  expect((await known()).members).toEqual(without('borealis:gil'))
  expect(await stateOf('borealis', 'gil')).toBe('active')
})

test('a key that is blocked on site opens nothing there, and a new one of that name does', async () => {
  expect(await take(by('acme:ana', { kind: 'key.block', org: 'acme', name: 'meter' }))).toBe('accepted')
  expect((await known()).keys).not.toContain('acme:meter')
  const { read } = here.cloud.directory.store
  expect(await read.get('token', { org: 'acme', name: 'meter' })).toMatchObject({ state: 'active' })
  expect(await take(by('acme:ana', { kind: 'key.block', org: 'acme', name: 'bob' }))).toBe('accepted')
  expect((await known()).keys).not.toContain('acme:bob')
  await here.cloud.directory.write.tokens.regenerateKey(as('bob', 'acme'), { org: 'acme' })
  expect((await known()).keys).toContain('acme:bob')
})

test('a guest’s workspace that was taken back at the host’s gateway is so there alone', async () => {
  const { directory } = here.cloud
  const { write, ask, store } = directory
  const org = 'borealis'
  const { workspace } = await done(write.workspaces.create(as('bea', org), { org, name: 'North' }))
  const row = await store.read.get('device', { path: `${GW1}/level-1` })
  if (row === undefined) throw new Error('no device')
  await store.transaction((tx) => tx.put('device', { ...row, workspace }))
  await done(write.workspaces.setLevel(as('bea', org), { org, workspace, user: 'gil', level: 'viewer' }))
  await known()
  await here.hears()
  expect(await here.shares()).toEqual(['gil viewer'])
  const to = { kind: 'member', org, name: 'gil', incarnation: 1 }
  const taken = by('borealis:bea', { kind: 'grant.remove', on: { kind: 'workspace', workspace }, to })
  expect(await take(taken)).toBe('accepted')
  expect(await here.shares()).toEqual([])
  expect(await store.read.find('grant', { org, principal: 'gil' })).toMatchObject([{ state: 'live' }])
  const [block] = await done(ask.gatewayBlocks.list(directory.actor('bea', org), { org }))
  await done(write.gatewayBlocks.lift(as('bea', org), { org, block: block?.block ?? '' }))
  await known()
  expect(await here.shares()).toEqual(['gil viewer'])
})

test('who joins again, and who owns the gateway next, is not blocked by what was', async () => {
  const { directory } = here.cloud
  const { write, store } = directory
  expect(await take(by('acme:ana', { kind: 'member.remove', org: 'acme', name: 'adam' }))).toBe('accepted')
  await done(write.members.remove(as('ana', 'acme'), { org: 'acme', user: 'adam' }))
  await directory.joins('adam', 'acme', 'admin', 'ana')
  expect((await known()).members).toEqual(MEMBERS)
  await here.hears()
  expect(await take(by('acme:ana', { kind: 'member.remove', org: 'acme', name: 'adam' }))).toBe('accepted')
  expect((await known()).members).toEqual(without('acme:adam'))
  const row = await store.read.get('gateway', { id: GW1 })
  if (row === undefined) throw new Error('no gateway')
  await store.transaction((tx) => tx.put('gateway', { ...row, owner_epoch: 2 }))
  await here.cloud.policies.recheck()
  expect((await known()).members).toEqual(MEMBERS)
})

const share = (to: string, more: object): GatewayChange => here.edge.share('acme:ana', to, more)

test('with the key of a gateway nobody writes over a share of another, nor names one after it', async () => {
  const { directory } = here.cloud
  const theirs = { org: 'borealis', thing: { kind: 'device', resource: 'GW-1/level-1' } } as const
  const { grant } = await done(
    directory.write.shares.share(as('bea', 'borealis'), {
      ...{ ...theirs, to: { kind: 'user', user: 'gil' }, level: 'editor' },
    }),
  )
  const before = await directory.store.read.find('grant', {}, { orderBy: ['id'] })
  expect(await take(share('acme:bob', { id: grant, expiresAt: null }))).toBe('refused exists')
  expect(await take(share('acme:bob', { id: 'here-another-1' }))).toBe('refused not-the-author')
  expect(await directory.store.read.find('grant', {}, { orderBy: ['id'] })).toEqual(before)
})

test('what the cloud gave without an end and was taken back is given on site for three days', async () => {
  const { directory, policies } = here.cloud
  const { grant: id } = await done(
    directory.write.shares.share(as('ana', 'acme'), {
      ...{ org: 'acme', thing: TILT, to: { kind: 'user', user: 'bob' } },
    }),
  )
  await policies.caughtUp()
  await here.hears()
  expect(await take(here.edge.revoke('acme:ana', 'acme:bob'))).toBe('accepted')
  expect(await take(share('acme:bob', { id, expiresAt: null }))).toBe('accepted')
  const row = await directory.store.read.get('grant', { id })
  expect(row).toMatchObject({ state: 'live', resource: 'GW-1/tilt-1' })
  expect((row?.expires_at ?? Infinity) - directory.now()).toBeLessThanOrEqual(72 * 3_600_000)
})

test.for([
  ['of before its owner', { ownerEpoch: 1 }, 'void old-epoch'],
  ['of no policy that is known', { seen: { cloud: 999 } }, 'refused unknown-resource'],
] as const)('what a gateway says of strangers, %s, stands in no log of theirs', async ([, more, verdict]) => {
  const { store } = here.cloud.directory
  await store.transaction(async (tx) => {
    const row = await tx.get('gateway', { id: GW1 })
    if (row !== undefined) await tx.put('gateway', { ...row, owner_epoch: 2 })
  })
  const heads = async () =>
    (await store.read.find('chain_head', {}, { orderBy: ['chain'] })).filter(({ chain }) =>
      ['org:cobalt', 'org:not-there'].includes(chain),
    )
  const before = await heads()
  for (const org of ['cobalt', 'not-there']) {
    const change = by('acme:ana', { kind: 'key.block', org, name: 'x' })
    const { proposal } = change
    const said = 'seen' in more ? { ...change, ownerEpoch: 2, proposal: { ...proposal, ...more } } : change
    expect(await take(said)).toBe(verdict)
  }
  expect(await heads()).toEqual(before)
  expect(await store.read.find('gateway_block', {})).toEqual([])
})

test('who lacks what somebody was given lifts no block of theirs', async () => {
  const { ask, write, ...directory } = here.cloud.directory
  const org = 'acme'
  const to = { kind: 'user', user: 'bob' } as const
  await done(write.shares.share(as('ana', org), { org, thing: TILT, to, level: 'editor' }))
  const without = ['device.operate' as const]
  const { role } = await done(write.roles.create(as('ana', org), { org, name: 'Quiet', without }))
  await done(write.members.setCustomRole(as('ana', org), { org, user: 'adam', role }))
  expect(await take(by('acme:ana', { kind: 'member.suspend', org, name: 'bob' }))).toBe('accepted')
  const [made] = await done(ask.gatewayBlocks.list(directory.actor('ana', org), { org }))
  const lift = (user: string) =>
    refusal(write.gatewayBlocks.lift(as(user, org), { org, block: made?.block ?? '' }))
  expect([await lift('adam'), await lift('ana')]).toEqual(['DIRECTORY_ABOVE_RANK', 'done'])
})
