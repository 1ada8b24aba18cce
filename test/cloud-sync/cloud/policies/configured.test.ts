import { onTestFinished, expect, test } from 'vitest'
import type { GatewayId } from '../../../../cloud-sync/contract/index.ts'
import { fakeGateway } from '../../../support/fake-gateway.ts'
import { type SeededCloud, seededCloud } from '../../../support/seeded-cloud.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'

const GW1 = 'GW-1' as GatewayId
const GW2 = 'GW-2' as GatewayId
const gateways = [fakeGateway('GW-1', '0'), fakeGateway('GW-2', '0')]

async function opened(folder = temporaryFolder(), at = 1): Promise<SeededCloud> {
  const open = await seededCloud(folder, { gateways, now: () => at })
  onTestFinished(() => open.close())
  return open
}

const share = (id: string, to: object, gateway = GW1) => ({
  kind: 'share.added',
  id,
  gateway,
  device: 'tilt-1',
  sensor: null,
  level: 'viewer',
  to: { org: 'cobalt', member: null, ...to },
})

test('the same version always has the same bytes, also after a restart', async () => {
  const folder = temporaryFolder()
  const first = await seededCloud(folder, { gateways, now: () => 1 })
  await first.change(share('s1', {}))
  const sealed = await first.policies.sealedFor(GW1)
  expect(sealed?.version).toBe(2)
  await first.close()
  const second = await opened(folder, 999)
  expect(await second.policies.sealedFor(GW1)).toEqual(sealed)
  expect(second.policies.policyOf(GW1)?.grants).toMatchObject([{ id: 's1' }])
})

test('a version grows by one for a change that touches the gateway, and for no other', async () => {
  const open = await opened()
  const seen: [string, number][] = []
  open.policies.onSealed((gateway, { version }) => seen.push([gateway, version]))
  await open.change(share('s1', {}))
  await open.change({ kind: 'organisation.added', id: 'delta', name: 'Delta' })
  // Cobalt is shown something on GW-1 only, so its new member is GW-1's to know.
  await open.change({ kind: 'member.added', org: 'cobalt', name: 'cal', role: 'member' })
  await open.change({ kind: 'share.revoked', id: 's1', gateway: GW1, device: 'tilt-1' })
  await open.change({ kind: 'member.added', org: 'cobalt', name: 'cora', role: 'member' })
  expect(seen).toEqual([
    ['GW-1', 2],
    ['GW-1', 3],
    ['GW-1', 4],
  ])
  expect((await open.snapshot(GW2)).version).toBe(1)
})

test('a gateway is told only what it needs', async () => {
  const open = await opened()
  const names = async () => {
    const { organisations, members, keys } = await open.snapshot(GW1)
    const logins = [...members, ...keys].map(({ org, name }) => `${org}:${name}`)
    return { organisations: organisations.map(({ id }) => id), logins }
  }
  const before = await names()
  expect(before.organisations).toEqual(['acme', 'borealis'])
  expect(before.logins.filter((login) => login.startsWith('cobalt'))).toEqual([])
  await open.change({ kind: 'member.added', org: 'cobalt', name: 'cal', role: 'member' })
  await open.change(share('s1', { member: 'cal' }))
  const after = await names()
  expect(after.organisations).toEqual(['acme', 'borealis', 'cobalt'])
  expect(after.logins.filter((login) => login.startsWith('cobalt'))).toEqual(['cobalt:cal'])
  // A member whom nothing is shown changes nothing there, so there is nothing to send either.
  const { version } = await open.snapshot(GW1)
  await open.change({ kind: 'member.added', org: 'cobalt', name: 'cora', role: 'member' })
  expect((await open.snapshot(GW1)).version).toBe(version)
})

test('a removed member takes keys and shares along, and comes back as another one', async () => {
  const open = await opened()
  await open.change({ kind: 'member.added', org: 'cobalt', name: 'cal', role: 'member' })
  const key = { kind: 'key.added', org: 'cobalt', name: 'cal-pump', member: 'cal', hash: 'a'.repeat(64) }
  await open.change(key)
  await open.change(share('s1', { member: 'cal' }))
  expect((await open.snapshot(GW1)).grants).toHaveLength(1)
  await open.change({ kind: 'member.removed', org: 'cobalt', name: 'cal' })
  expect(await open.snapshot(GW1)).toMatchObject({ grants: [] })
  await open.change({ kind: 'member.added', org: 'cobalt', name: 'cal', role: 'member' })
  await open.change(share('s2', { member: 'cal' }))
  const { members, keys } = await open.snapshot(GW1)
  expect(members.find(({ name }) => name === 'cal')?.incarnation).toBe(2)
  expect(keys.filter(({ member }) => member === 'cal')).toEqual([])
})

const refused: [string, object, string][] = [
  ['a share of an unknown device', { ...share('s', {}), device: 'none' }, 'DIRECTORY_NOT_FOUND'],
  ['a share with an unknown organisation', share('s', { org: 'nobody' }), 'DIRECTORY_NOT_FOUND'],
  ['a share with an unknown member', share('s', { member: 'nobody' }), 'DIRECTORY_NOT_FOUND'],
  ['a share with the owner', share('s', { org: 'acme' }), 'DIRECTORY_EXISTS'],
  [
    'a member who is there',
    { kind: 'member.added', org: 'acme', name: 'ana', role: 'admin' },
    'DIRECTORY_EXISTS',
  ],
  [
    'a member called like a key',
    { kind: 'member.added', org: 'acme', name: 'meter', role: 'owner' },
    'DIRECTORY_EXISTS',
  ],
  [
    'a key called like another member',
    { kind: 'key.added', org: 'acme', name: 'bob', member: 'ana', hash: 'b'.repeat(64) },
    'DIRECTORY_EXISTS',
  ],
  ['the last owner leaving', { kind: 'member.removed', org: 'acme', name: 'ana' }, 'DIRECTORY_LAST_OWNER'],
  [
    'a revocation of nothing',
    { kind: 'share.revoked', id: 'none', gateway: GW1, device: 'tilt-1' },
    'DIRECTORY_NOT_FOUND',
  ],
  [
    'a device twice',
    { kind: 'device.registered', gateway: GW1, id: 'tilt-1', org: 'acme', custodian: null, workspace: null },
    'DIRECTORY_EXISTS',
  ],
  [
    'a gateway twice',
    { kind: 'gateway.registered', id: GW1, org: 'acme', publicKey: Buffer.alloc(32).toString('base64') },
    'DIRECTORY_EXISTS',
  ],
]
test('refusals are values and leave no trace', async () => {
  const open = await opened()
  for (const [what, body, code] of refused) expect(await open.change(body), what).toBe(code)
  expect((await open.snapshot(GW1)).version).toBe(1)
})

test('a new gateway and a new device get their policy at once', async () => {
  const open = await opened()
  const GW9 = 'GW-9' as GatewayId
  const publicKey = Buffer.alloc(32, 9).toString('base64')
  await open.change({ kind: 'gateway.registered', id: GW9, org: 'borealis', publicKey })
  const pump = { kind: 'device.registered', gateway: GW9, id: 'pump', org: 'cobalt', custodian: 'cid' }
  expect(await open.change({ ...pump, workspace: 'w1' })).toBe('done')
  expect(await open.snapshot(GW9)).toMatchObject({
    version: 2,
    owner: { org: 'borealis', ownerEpoch: 1 },
    workspaces: [{ id: 'w1', org: 'cobalt' }],
    devices: [
      {
        id: 'pump',
        org: 'cobalt',
        custodian: 'cid',
        workspace: 'w1',
        ownerEpoch: 1,
        state: 'active',
        custodianIncarnation: 1,
      },
    ],
  })
  expect([...open.policies.presenceOf('cobalt' as never)]).toEqual([GW9])
})

test('changes made at the same time are made one after another', async () => {
  const open = await opened()
  const made = Array.from({ length: 10 }, (_, n) => open.change(share(`s${n}`, {})))
  const twice = Array.from({ length: 5 }, () => open.change(share('same', {})))
  await Promise.all(made)
  expect((await Promise.all(twice)).filter((outcome) => outcome === 'done')).toHaveLength(1)
  expect((await open.snapshot(GW1)).grants).toHaveLength(11)
})

test('the operator approves that a device is its gateway’s own, and takes it back: the policy says so', async () => {
  const open = await opened()
  const say = (diagnostic: boolean) =>
    open.change({ kind: 'device.diagnostic', gateway: GW1, id: 'tilt-1', diagnostic })
  const told = async () =>
    (await open.snapshot(GW1)).devices.map(({ id, diagnostic = false }) => `${id} ${String(diagnostic)}`)
  expect(await told()).toContain('tilt-1 false')
  expect(await say(true)).toBe('done')
  expect(await told()).toContain('tilt-1 true')
  expect(await say(false)).toBe('done')
  expect(await told()).toContain('tilt-1 false')
  const gone = { kind: 'device.diagnostic', gateway: GW1, id: 'none', diagnostic: true }
  expect(await open.change(gone)).toBe('DIRECTORY_NOT_FOUND')
})
