import { onTestFinished, expect, test } from 'vitest'
import {
  changeKeys,
  exportRoot,
  installKeyset,
  requestKeys,
  showKeys,
  signRequest,
} from '../../../../cloud-sync/cloud/keys/index.ts'
import {
  applyDelta,
  isDelta,
  keysetLookup,
  openDelta,
  openSnapshot,
} from '../../../../cloud-sync/codec/index.ts'
import type { GatewayId } from '../../../../cloud-sync/contract/index.ts'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fakeGateway } from '../../../support/fake-gateway.ts'
import { DAY_MS, type SeededCloud, seededCloud } from '../../../support/seeded-cloud.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'

const GW1 = 'GW-1' as GatewayId
const gateways = [fakeGateway('GW-1', '0')]
const share = (id: string) => ({
  kind: 'share.added',
  id,
  gateway: GW1,
  device: 'tilt-1',
  sensor: null,
  level: 'viewer',
  to: { org: 'cobalt', member: null },
})

async function opened(folder: string, now = () => 1): Promise<SeededCloud> {
  const open = await seededCloud(folder, { gateways, now })
  onTestFinished(() => open.close())
  return open
}

const whole = (trust: string, bytes: Uint8Array) => {
  const read = openSnapshot({ rootPublicKey: trust, gateway: GW1, bytes, newestKeyset: undefined })
  if (!read.ok) throw new Error(read.because)
  return read
}

test('one change travels as a delta that leads to the newest version to the byte', async () => {
  const open = await opened(temporaryFolder())
  const first = whole(open.trust, (await open.policies.sealedFor(GW1))?.message ?? new Uint8Array())
  await open.change(share('s1'))
  await open.change(share('s2'))
  const newest = whole(open.trust, (await open.policies.sealedFor(GW1))?.message ?? new Uint8Array())
  const answer = await open.policies.answerTo(GW1, { generation: 1, version: 1 })
  expect(answer !== undefined && isDelta(answer)).toBe(true)
  const publicKeyFor = keysetLookup(first.keyset)
  const delta = openDelta({ gateway: GW1, bytes: answer ?? new Uint8Array(), publicKeyFor })
  if (!delta.ok) throw new Error(delta.because)
  expect(applyDelta({ version: 1, body: first.body }, delta.delta, GW1)).toMatchObject({
    ok: true,
    hash: newest.bodyHash,
  })
  // Who has nothing, or something unknown, gets the whole; who has the newest, nothing.
  const wholly = await open.policies.answerTo(GW1, { generation: 1, version: 0 })
  expect(whole(open.trust, wholly ?? new Uint8Array()).snapshot.version).toBe(3)
  expect(await open.policies.answerTo(GW1, { generation: 1, version: 3 })).toBeUndefined()
})

test('a policy that is getting old is renewed when it is asked for, without another change', async () => {
  let now = 1
  const open = await opened(temporaryFolder(), () => now)
  expect((await open.snapshot(GW1)).freshUntil).toBe(1 + DAY_MS)
  now += DAY_MS / 4 + 1
  const renewed = await open.snapshot(GW1)
  expect(renewed).toMatchObject({ version: 2, freshUntil: now + DAY_MS, hardUntil: now + 30 * DAY_MS })
  const answer = await open.policies.answerTo(GW1, { generation: 1, version: 1 })
  expect(answer?.length).toBeLessThan(300)
})

test('what a gateway has not heard is pending since the change, at worst until its own policy ends', async () => {
  let now = 1
  const open = await opened(temporaryFolder(), () => now)
  now = 5
  await open.change(share('s1'))
  const applied = (version: number) => open.policies.pendingAt(GW1, { generation: 1, version })
  expect(await applied(1)).toEqual({ pendingSince: 5, worstCaseUntil: 1 + 30 * DAY_MS, ahead: false })
  expect(await applied(2)).toEqual({ pendingSince: null, worstCaseUntil: null, ahead: false })
  expect(await applied(9)).toMatchObject({ ahead: true })
})

test('after a rotation the same version is sent under the new keyset, whatever was retired', async () => {
  const folder = temporaryFolder()
  const open = await opened(folder)
  const before = await open.policies.sealedFor(GW1)
  const [old] = showKeys(folder).keys
  expect(changeKeys(folder, { do: 'rotate' })).toMatchObject({
    version: 2,
    keys: [{ signs: true }, { id: old?.id }],
  })
  changeKeys(folder, { do: 'retire', key: old?.id ?? '' })
  expect(() => changeKeys(folder, { do: 'retire', key: showKeys(folder).keys[0]?.id ?? '' })).toThrow(
    'last key',
  )
  expect(open.keys.reload()).toBe(true)
  expect(open.keys.reload()).toBe(false)
  const after = whole(open.trust, (await open.policies.sealedFor(GW1))?.message ?? new Uint8Array())
  expect(after.keyset.version).toBe(3)
  expect(after.snapshot.version).toBe(before?.version)
  expect(after.bodyHash).toBe(whole(open.trust, before?.message ?? new Uint8Array()).bodyHash)
})

test('a new generation orders before every version of the one before', async () => {
  const folder = temporaryFolder()
  const open = await opened(folder)
  changeKeys(folder, { do: 'generation' })
  open.keys.reload()
  await open.policies.recheck()
  expect(await open.snapshot(GW1)).toMatchObject({ generation: 2, version: 2, keyset: { generation: 2 } })
  const answer = await open.policies.answerTo(GW1, { generation: 1, version: 99 })
  expect(whole(open.trust, answer ?? new Uint8Array()).snapshot.generation).toBe(2)
})

test('with the root key elsewhere a keyset is requested, signed there and installed', () => {
  const folder = temporaryFolder()
  const away = join(temporaryFolder(), 'root')
  mkdirSync(away)
  showKeys(folder)
  exportRoot(folder, join(away, 'root.key'))
  expect(showKeys(folder).rootHere).toBe(false)
  expect(() => changeKeys(folder, { do: 'rotate' })).toThrow(
    expect.objectContaining({ code: 'CLOUD_ROOT_MISSING' }),
  )
  const request = requestKeys(folder, { do: 'rotate' })
  const file = join(away, 'keyset.bin')
  writeFileSync(file, signRequest(request, join(away, 'root.key')))
  expect(installKeyset(folder, file)).toMatchObject({ version: 2, keys: [{ signs: true }, { here: true }] })
  expect(() => installKeyset(folder, file)).toThrow(expect.objectContaining({ code: 'CLOUD_KEYSET_REFUSED' }))
  showKeys(away)
  const stranger = signRequest(request, join(away, 'keys', 'root.key'))
  writeFileSync(file, stranger)
  expect(() => installKeyset(folder, file)).toThrow(expect.objectContaining({ code: 'CLOUD_KEYSET_REFUSED' }))
})
