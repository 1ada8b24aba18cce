import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MAX, MAX_EACH } from '../../../../cloud-sync/cloud/directory/kernel/limits.ts'
import type { Outcome } from '../../../../cloud-sync/cloud/directory/index.ts'
import type { DirectoryTransaction } from '../../../../cloud-sync/cloud/storage/index.ts'
import { POLICY_MAX } from '../../../../cloud-sync/contract/index.ts'
import { done, openTestDirectory, refusal, type TestDirectory } from '../../../support/directory-world.ts'

/** acme with its owner ana, and eve, a member who may edit GW-1 and nothing else. */
let d: TestDirectory
let team = ''
let folder = ''
let made = 0
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headgate-limits-'))
  d = await openTestDirectory({ dialect: 'sqlite', path: join(folder, 'directory.db') })
  await d.person('ana', 'acme')
  await d.person('eve')
  await d.joins('eve', 'acme', 'member', 'ana')
  const publicKey = Buffer.alloc(32).toString('base64')
  await done(d.write.gateways.register(d.operator(), { org: 'acme', gateway: 'GW-1', publicKey }))
  const thing = { kind: 'gateway', resource: 'GW-1' } as const
  const to = { kind: 'user', user: 'eve' } as const
  await done(d.write.shares.share(as('ana'), { org: 'acme', thing, to, level: 'owner' }))
  team = (await done(d.write.teams.create(as('ana'), { org: 'acme', handle: 'ops', name: 'Ops' }))).team
  await d.person('zed', 'zinc')
  await done(d.write.organisations.setVisibility(d.as('zed', 'zinc'), { org: 'zinc', visibility: 'public' }))
})
afterAll(async () => {
  await d.close()
  rmSync(folder, { recursive: true, force: true })
})

const as = (user: string) => d.as(user, 'acme')
/** So many of them there are already, however they came. */
const filled = (count: number, row: (tx: DirectoryTransaction, index: number) => Promise<void>) =>
  d.store.transaction(async (tx) => {
    for (let index = 0; index < count; index += 1) await row(tx, index)
  })
const owned = { org: 'acme', owner: 'eve', owner_org: 'acme', owner_incarnation: 1, name: 'x' } as const
const live = { state: 'active', created_at: 1 } as const

const device = (tx: DirectoryTransaction, index: number) =>
  tx.put('device', {
    ...{ path: `GW-1/x${index}`, gateway: 'GW-1', org: 'acme', name: 'x', ...live },
    ...{ workspace: null, custodian: null, owner_epoch: 1, diagnostic: 0 },
  })
const view = (tx: DirectoryTransaction, index: number) =>
  tx.put('saved_view', {
    ...{ id: `view-${index}`, ...owned, ...live, kind: 'map', gateways: '[]', definition: '{}' },
  })
const alert = (tx: DirectoryTransaction, index: number) =>
  tx.put('alert_rule', {
    ...{ id: `alert-${index}`, ...owned, ...live, kind: 'offline', resource: 'GW-1' },
    ...{ channel: null, bounds: '{}', team: null },
  })
const share = (tx: DirectoryTransaction, index: number) =>
  tx.put('grant', {
    ...{ id: `grant-${index}`, org: 'acme', resource_kind: 'sensor', resource: `GW-1/x1/s${index}` },
    ...{ principal_kind: 'user', principal: 'eve', principal_org: 'acme', level: 'viewer', incarnation: 1 },
    ...{ granted_by: 'eve', granted_by_org: 'acme', granted_by_incarnation: 1, owner_epoch: 1 },
    ...{ via: null, expires_at: null, state: 'live', brought_by: null, created_at: 1 },
  })
const member = (tx: DirectoryTransaction, index: number) =>
  tx.put('membership', {
    ...{ org: 'acme', user: `m${index}`, role: 'member', billing: 0, custom: null, incarnation: 1 },
    ...{ state: 'active', since: 1 },
  })
const token = (tx: DirectoryTransaction, index: number) =>
  tx.put('token', {
    ...{ id: `token-${index}`, org: 'acme', user: `m${index}`, name: `t${index}`, kind: 'token', ...live },
    ...{ scope: 'full', hash: `${index}`, incarnation: 1, expires_at: null },
  })
const policy = (tx: DirectoryTransaction, index: number) =>
  tx.put('cross_org_policy', {
    ...{ org: 'acme', to_org: `o${index}`, id: `policy-${index}`, max_level: 'viewer', ...live },
    ...{ offline_ttl_ms: 1, created_by: 'ana' },
  })

const addDevice = (user: string) => () =>
  d.write.gateways.addDevice(as(user), {
    org: 'acme',
    gateway: 'GW-1',
    device: `new-${(made += 1)}`,
    name: 'New',
  })
const saveView = (user: string) => () =>
  d.write.views.save(as(user), { org: 'acme', name: 'v', kind: 'map', gateways: ['GW-1'], definition: {} })
const setAlert = (user: string) => () =>
  d.write.alerts.create(as(user), { org: 'acme', name: 'a', resource: 'GW-1', watch: { kind: 'offline' } })
const shareWith = (user: string) => () =>
  d.write.shares.share(as(user), {
    ...{ org: 'acme', thing: { kind: 'gateway', resource: 'GW-1' }, to: { kind: 'team', handle: 'ops' } },
  })
const createToken = (user: string) => () =>
  d.write.tokens.create(as(user), {
    ...{ org: 'acme', name: 'excel', scope: 'read', expiresAt: null, password: `${user}-password` },
  })
const enters = async () => {
  await done(d.write.invitations.invite(as('ana'), { org: 'acme', email: 'zed@example.org' }))
  return d.write.invitations.accept(d.as('zed'), { secret: await d.secretFor('zed@example.org') })
}

type Write = () => Promise<Outcome<unknown>>
type Row = (tx: DirectoryTransaction, index: number) => Promise<void>
const nine = (count: number): number => (count / 10) * 9
const FULL: [what: string, count: number, row: Row, refused: Write, goesOn: Write | null][] = [
  // What there is, how many, how one is made; who is refused then, and who is not.
  ['devices, for a member', nine(MAX.devicesOnGateway), device, addDevice('eve'), addDevice('ana')],
  ['devices', MAX.devicesOnGateway, device, addDevice('ana'), null],
  ['views of one person', MAX_EACH.views, view, saveView('eve'), saveView('ana')],
  ['views', MAX.viewsOfOrganisation, view, saveView('ana'), null],
  ['alerts of one person', MAX_EACH.alerts, alert, setAlert('eve'), setAlert('ana')],
  ['shares by one person', MAX_EACH.shares, share, shareWith('eve'), shareWith('ana')],
  ['tokens, for a member', nine(MAX.tokensOfOrganisation), token, createToken('eve'), createToken('ana')],
  ['members', MAX.membersOfOrganisation, member, enters, null],
]

test.each(FULL)('of %s there are %d at most', async (_what, count, row, refused, goesOn) => {
  await filled(count, row)
  expect(await refusal(refused())).toBe('DIRECTORY_LIMIT')
  if (goesOn !== null) expect(await refusal(goesOn())).toBe('done')
})

test('of teams, people in one and organisations to share with there is an end', async () => {
  await filled(MAX.peopleOfTeam, (tx, index) =>
    tx.put('team_member', { team, user: `m${index}`, org: 'acme', role: 'member', incarnation: 1 }),
  )
  const setMember = (user: string) =>
    refusal(d.write.teams.setMember(as('ana'), { org: 'acme', team, user, role: 'lead' }))
  expect([await setMember('eve'), await setMember('m1')]).toEqual(['DIRECTORY_LIMIT', 'done'])
  await filled(MAX.teamsOfOrganisation, (tx, index) =>
    tx.put('team', { id: `team-${index}`, org: 'acme', handle: `t${index}`, name: 'T', ...live }),
  )
  const another = d.write.teams.create(as('ana'), { org: 'acme', handle: 'more', name: 'More' })
  expect(await refusal(another)).toBe('DIRECTORY_LIMIT')
  await filled(MAX.sharedWithOrganisations, policy)
  const further = d.write.policies.add(as('ana'), { org: 'acme', name: 'zinc' })
  expect(await refusal(further)).toBe('DIRECTORY_LIMIT')
})

test('what one organisation may have fits into the policy of a gateway', () => {
  expect(MAX.devicesOnGateway).toBeLessThanOrEqual(POLICY_MAX.devices)
  expect(MAX.membersOfOrganisation).toBeLessThanOrEqual(POLICY_MAX.members)
  expect(MAX.tokensOfOrganisation + MAX.membersOfOrganisation).toBeLessThanOrEqual(POLICY_MAX.keys)
  expect(MAX.teamsOfOrganisation).toBeLessThanOrEqual(POLICY_MAX.teams)
  expect(MAX.peopleOfTeam).toBeLessThanOrEqual(POLICY_MAX.teamMembers)
  expect(MAX.viewsOfOrganisation).toBeLessThanOrEqual(POLICY_MAX.items)
  expect(MAX.sharesOfOrganisation).toBeLessThanOrEqual(POLICY_MAX.grants)
  expect(MAX.sharedWithOrganisations + MAX.partnersOfOrganisation).toBeLessThan(POLICY_MAX.organisations)
})

test('of many views a page is looked at, without what they are made of, and others are served meanwhile', async () => {
  await d.person('obs')
  await d.joins('obs', 'zinc', 'observer', 'zed')
  await filled(400, (tx, index) =>
    tx.put('saved_view', {
      ...{ id: `zinc-${index}`, ...owned, ...live, kind: 'map', gateways: '[]', definition: '{}' },
      ...{ org: 'zinc', owner: 'zed', owner_org: 'zinc' },
    }),
  )
  const list = (user: string, more: object) =>
    done(d.ask.views.list(d.actor(user, 'zinc'), { org: 'zinc', ...more }))
  const first = await list('zed', { limit: 30 })
  expect(first.views).toHaveLength(30)
  expect(first.next).toBe(first.views.at(-1)?.id)
  expect(Object.keys(first.views[0] ?? {})).not.toContain('definition')
  const rest = await list('zed', { after: first.next })
  expect(rest.views[0]?.id).toBe('zinc-125')
  // Who may see none of them has not all of them looked at in one go.
  let turns = 0
  const turn = (): void => void ((turns += 1), (next = setImmediate(turn)))
  let next = setImmediate(turn)
  const none = await list('obs', {})
  clearImmediate(next)
  expect(none.views).toEqual([])
  expect(none.next).not.toBeNull()
  expect(turns).toBeGreaterThan(5)
  expect(await list('obs', { after: none.next })).toEqual({ views: [], next: null })
  const one = await done(d.ask.views.show(d.actor('zed', 'zinc'), { org: 'zinc', view: 'zinc-1' }))
  expect(one.definition).toEqual({})
  const hidden = d.ask.views.show(d.actor('obs', 'zinc'), { org: 'zinc', view: 'zinc-1' })
  expect(await refusal(hidden)).not.toBe('done')
})

test('shares of a guest on a gateway are bounded, and leave its owner all of their own', async () => {
  const ofGuest = (tx: DirectoryTransaction, index: number) =>
    tx.put('grant', {
      ...{ id: `guest-${index}`, org: 'zinc', resource_kind: 'sensor', resource: `GW-1/guest/s${index}` },
      ...{ principal_kind: 'user', principal: 'zed', principal_org: 'zinc', level: 'viewer', incarnation: 1 },
      ...{ granted_by: 'zed', granted_by_org: 'zinc', granted_by_incarnation: 1, owner_epoch: 1 },
      ...{ via: null, expires_at: null, state: 'live', brought_by: null, created_at: 1 },
    })
  await d.store.transaction((tx) =>
    tx.put('device', {
      ...{ path: 'GW-1/guest', gateway: 'GW-1', org: 'zinc', name: 'x', ...live },
      ...{ workspace: null, custodian: null, owner_epoch: 1, diagnostic: 0 },
    }),
  )
  await filled(MAX.sharesOfGuestOnGateway - 1, ofGuest)
  const bySensor = (sensor: string) =>
    refusal(
      d.write.shares.share(d.as('zed', 'zinc'), {
        ...{ org: 'zinc', thing: { kind: 'sensor', resource: `GW-1/guest/${sensor}` } },
        to: { kind: 'user', user: 'zed' },
      }),
    )
  expect([await bySensor('a'), await bySensor('b')]).toEqual(['done', 'DIRECTORY_LIMIT'])
  // However many there were before this was bounded.
  await filled(MAX.sharesOnGateway, ofGuest)
  const to = { kind: 'team', handle: 't1' } as const
  const thing = { kind: 'gateway', resource: 'GW-1' } as const
  expect(await refusal(d.write.shares.share(as('ana'), { org: 'acme', thing, to }))).toBe('done')
})

test('however much comes back to somebody, it is looked at device by device, and others are served meanwhile', async () => {
  const become = (role: 'member' | 'observer') =>
    refusal(d.write.members.changeRole(as('ana'), { org: 'acme', user: 'eve', role }))
  expect(await become('observer')).toBe('done')
  const devices = (await d.store.read.find('device', { org: 'acme', state: 'active' })).slice(0, 200)
  expect(devices).toHaveLength(200)
  await filled(2_000, (tx, index) =>
    tx.put('grant', {
      ...{ id: `back-${index}`, org: 'acme', resource_kind: 'sensor' },
      resource: `${devices[index % 200]?.path ?? ''}/s${index}`,
      ...{ principal_kind: 'user', principal: 'eve', principal_org: 'acme', level: 'owner', incarnation: 1 },
      ...{ granted_by: 'ana', granted_by_org: 'acme', granted_by_incarnation: 1, owner_epoch: 1 },
      ...{ via: null, expires_at: null, state: 'live', brought_by: null, created_at: 1 },
    }),
  )
  let turns = 0
  const turn = (): void => void ((turns += 1), (next = setImmediate(turn)))
  let next = setImmediate(turn)
  const lifted = await become('member')
  clearImmediate(next)
  expect([lifted, turns >= 8]).toEqual(['done', true])
})
