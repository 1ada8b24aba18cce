import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  type ChangeOutcome,
  type Directory,
  type DirectoryChange,
  openDirectory,
  parseDirectory,
} from '../../../cloud-sync/cloud/directory/index.ts'
import { openKeys } from '../../../cloud-sync/cloud/keys.ts'
import { openDatabase } from '../../../cloud-sync/cloud/storage/index.ts'
import { openSnapshot } from '../../../cloud-sync/codec/index.ts'
import type { GatewayId, PolicySnapshot } from '../../../cloud-sync/contract/index.ts'
import { writeDirectory } from '../../support/cloud-fixture.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { fakeGateway } from '../../support/fake-gateway.ts'

const GW1 = 'GW-1' as GatewayId
const GW2 = 'GW-2' as GatewayId

interface Opened {
  readonly directory: Directory
  readonly trust: string
  close(): Promise<void>
}

async function opened(folder: string, at = 1): Promise<Opened> {
  const keys = openKeys(folder)
  const gateways = [fakeGateway('GW-1', keys.cloudId), fakeGateway('GW-2', keys.cloudId)]
  const db = await openDatabase(join(folder, 'cloud.db'), at)
  const path = writeDirectory(folder, gateways)
  const directory = await openDirectory({ db, keys, now: () => at }, () =>
    parseDirectory(path, readFileSync(path, 'utf8')),
  )
  return { directory, trust: keys.rootPublicKey, close: () => db.close() }
}

async function snapshot({ directory, trust }: Opened, gateway: GatewayId): Promise<PolicySnapshot> {
  const sealed = await directory.sealedFor(gateway)
  const bytes = sealed?.message ?? new Uint8Array()
  const read = openSnapshot({ rootPublicKey: trust, gateway, bytes, newestKeyset: undefined })
  if (!read.ok) throw new Error(read.because)
  expect(read.hash).toBe(sealed?.hash)
  return read.snapshot
}

const change = (directory: Directory, body: object): Promise<ChangeOutcome> =>
  directory.change('test', body as DirectoryChange)
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
  const first = await opened(folder, 1)
  await change(first.directory, share('s1', {}))
  const sealed = await first.directory.sealedFor(GW1)
  expect(sealed?.version).toBe(2)
  await first.close()
  const second = await opened(folder, 999)
  expect(await second.directory.sealedFor(GW1)).toEqual(sealed)
  expect(second.directory.state().shares.get('s1')).toMatchObject({ device: 'tilt-1' })
  await second.close()
})

test('a version grows by one for a change that touches the gateway, and for no other', async () => {
  const open = await opened(temporaryFolder())
  const seen: [string, number][] = []
  open.directory.onSnapshot((gateway, { version }) => seen.push([gateway, version]))
  await change(open.directory, share('s1', {}))
  await change(open.directory, { kind: 'organisation.added', id: 'delta', name: 'Delta' })
  // Cobalt is shown something on GW-1 only, so its new member is GW-1's to know.
  await change(open.directory, { kind: 'member.added', org: 'cobalt', name: 'cal', role: 'member' })
  await change(open.directory, { kind: 'share.revoked', id: 's1', gateway: GW1, device: 'tilt-1' })
  await change(open.directory, { kind: 'member.added', org: 'cobalt', name: 'cora', role: 'member' })
  expect(seen).toEqual([
    ['GW-1', 2],
    ['GW-1', 3],
    ['GW-1', 4],
  ])
  expect((await snapshot(open, GW2)).version).toBe(1)
  await open.close()
})

test('a gateway is told only what it needs', async () => {
  const open = await opened(temporaryFolder())
  const names = async () => {
    const { organisations, members, keys } = await snapshot(open, GW1)
    const logins = [...members, ...keys].map(({ org, name }) => `${org}:${name}`)
    return { organisations: organisations.map(({ id }) => id), logins }
  }
  const before = await names()
  expect(before.organisations).toEqual(['acme', 'borealis'])
  expect(before.logins.filter((login) => login.startsWith('cobalt'))).toEqual([])
  await change(open.directory, { kind: 'member.added', org: 'cobalt', name: 'cal', role: 'member' })
  await change(open.directory, share('s1', { member: 'cal' }))
  const after = await names()
  expect(after.organisations).toEqual(['acme', 'borealis', 'cobalt'])
  expect(after.logins.filter((login) => login.startsWith('cobalt'))).toEqual(['cobalt:cal'])
  // A member whom nothing is shown changes nothing there, so there is nothing to send either.
  const { version } = await snapshot(open, GW1)
  await change(open.directory, { kind: 'member.added', org: 'cobalt', name: 'cora', role: 'member' })
  expect((await snapshot(open, GW1)).version).toBe(version)
  await open.close()
})

test('a removed member takes keys and shares along, and comes back as another one', async () => {
  const open = await opened(temporaryFolder())
  await change(open.directory, { kind: 'member.added', org: 'cobalt', name: 'cal', role: 'member' })
  await change(open.directory, {
    kind: 'key.added',
    org: 'cobalt',
    name: 'cal-pump',
    member: 'cal',
    hash: 'a'.repeat(64),
  })
  await change(open.directory, share('s1', { member: 'cal' }))
  await change(open.directory, { kind: 'member.removed', org: 'cobalt', name: 'cal' })
  expect(await snapshot(open, GW1)).toMatchObject({ grants: [] })
  await change(open.directory, { kind: 'member.added', org: 'cobalt', name: 'cal', role: 'member' })
  await change(open.directory, share('s2', { member: 'cal' }))
  const { members, keys } = await snapshot(open, GW1)
  expect(members.find(({ name }) => name === 'cal')?.incarnation).toBe(2)
  expect(keys.filter(({ member }) => member === 'cal')).toEqual([])
  await open.close()
})

const refused: [string, object, string][] = [
  ['a share of an unknown device', { ...share('s', {}), device: 'none' }, 'unknown'],
  ['a share with an unknown organisation', share('s', { org: 'nobody' }), 'unknown'],
  ['a share with an unknown member', share('s', { member: 'nobody' }), 'unknown'],
  ['a share with the owner', share('s', { org: 'acme' }), 'own-organisation'],
  ['a member who is there', { kind: 'member.added', org: 'acme', name: 'ana', role: 'admin' }, 'exists'],
  [
    'a member called like a key',
    { kind: 'member.added', org: 'acme', name: 'meter', role: 'owner' },
    'exists',
  ],
  [
    'a key called like another member',
    { kind: 'key.added', org: 'acme', name: 'bob', member: 'ana', hash: 'b'.repeat(64) },
    'exists',
  ],
  ['the last owner leaving', { kind: 'member.removed', org: 'acme', name: 'ana' }, 'last-owner'],
  [
    'a revocation of nothing',
    { kind: 'share.revoked', id: 'none', gateway: GW1, device: 'tilt-1' },
    'unknown',
  ],
  [
    'a device twice',
    { kind: 'device.registered', gateway: GW1, id: 'tilt-1', org: 'acme', custodian: null, workspace: null },
    'exists',
  ],
  [
    'a gateway twice',
    { kind: 'gateway.registered', id: GW1, org: 'acme', publicKey: Buffer.alloc(32).toString('base64') },
    'exists',
  ],
]
test('refusals are values and leave no trace', async () => {
  const open = await opened(temporaryFolder())
  for (const [what, body, because] of refused) {
    expect(await change(open.directory, body), what).toEqual({ done: false, because })
  }
  expect((await snapshot(open, GW1)).version).toBe(1)
  await open.close()
})

test('a new gateway and a new device get their snapshots at once', async () => {
  const open = await opened(temporaryFolder())
  const GW9 = 'GW-9' as GatewayId
  const publicKey = Buffer.alloc(32, 9).toString('base64')
  await change(open.directory, { kind: 'gateway.registered', id: GW9, org: 'borealis', publicKey })
  await change(open.directory, {
    kind: 'device.registered',
    gateway: GW9,
    id: 'pump',
    org: 'cobalt',
    custodian: 'cid',
    workspace: 'w1',
  })
  expect(await snapshot(open, GW9)).toMatchObject({
    version: 2,
    owner: { org: 'borealis', ownerEpoch: 1 },
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
  await open.close()
})

test('changes made at the same time are made one after another', async () => {
  const open = await opened(temporaryFolder())
  const made = Array.from({ length: 10 }, (_, n) => change(open.directory, share(`s${n}`, {})))
  const twice = Array.from({ length: 5 }, () => change(open.directory, share('same', {})))
  await Promise.all(made)
  expect((await Promise.all(twice)).filter(({ done }) => done)).toHaveLength(1)
  const { version, grants } = await snapshot(open, GW1)
  expect([version, grants.length]).toEqual([12, 11])
  await open.close()
})
