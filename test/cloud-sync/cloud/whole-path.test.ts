import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { openKeys } from '../../../cloud-sync/cloud/keys/index.ts'
import {
  type AppliedDelta,
  applyDelta,
  isDelta,
  keysetLookup,
  openDelta,
  type OpenedSnapshot,
  openSnapshot,
} from '../../../cloud-sync/codec/index.ts'
import { KEYS, writeDirectory } from '../../support/cloud-fixture.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { linkGateway, spawnCloud, writeConfig } from '../../support/cloud-process.ts'
import {
  epochOf,
  eventBody,
  fakeGateway,
  readingChain,
  statusOf,
  usageBody,
  usageChain,
} from '../../support/fake-gateway.ts'

/** Real processes: on a busy machine each takes seconds to start. */
vi.setConfig({ testTimeout: 90_000 })

const epoch = epochOf('a')

function prepared() {
  const folder = temporaryFolder()
  const keys = openKeys(join(folder, 'data'))
  const gateway = fakeGateway('GW-1', keys.cloudId)
  const config = writeConfig(folder, writeDirectory(folder, [gateway]))
  return { folder, keys, gateway, config }
}

const basic = (login: keyof typeof KEYS): Record<string, string> => ({
  Authorization: `Basic ${Buffer.from(`${login}:${KEYS[login]}`).toString('base64')}`,
})

test('usage, readings and events of a gateway end in the cloud and are acknowledged, signed', async () => {
  const { folder, keys, gateway, config } = prepared()
  const cloud = await spawnCloud(config, onTestFinished)
  expect(cloud.trust).toBe(keys.rootPublicKey)
  const link = await linkGateway(gateway, {
    mqtt: cloud.mqtt,
    signer: keys.signing.publicKey,
    defer: onTestFinished,
  })

  const status = statusOf({ usage: { epoch, parent: null } })
  await link.publish('status', Buffer.from(JSON.stringify(status)))
  expect(await link.nextAck('usage')).toMatchObject({ epoch, upTo: 0, status: 'ok' })

  const records = usageChain({ gateway: gateway.id, epoch, count: 5 })
  await link.publish('usage', gateway.sign('usage', usageBody(records)))
  expect(await link.nextAck('usage')).toMatchObject({ upTo: 5, hash: records.at(-1)?.hash, status: 'ok' })

  const batches = readingChain({ gateway: gateway.id, epoch, count: 3 })
  for (const { body, hash } of batches) {
    await link.publish('rd', gateway.sign('rd', body))
    expect(await link.nextAck('rd')).toMatchObject({ hash, status: 'ok' })
  }
  await link.publish('evt', gateway.sign('evt', eventBody(gateway.id, epoch, 1, ['boot', 'clock_step'])))
  expect(await link.nextAck('evt')).toMatchObject({ upTo: 2, status: 'ok' })

  const usage = await fetch(`${cloud.http}/v1/usage`, { headers: basic('acme:ana') })
  expect(await usage.json()).toMatchObject({
    days: [{ day: '2026-11-21', subject: 'sensor:tilt-1/main', meter: 'sensor.readings', quantity: '35' }],
  })
  const readings = await fetch(`${cloud.http}/v1/readings`, { headers: basic('acme:meter') })
  const page = (await readings.json()) as { readings: { device: string; value: number }[]; next: null }
  expect(page.readings.map(({ value }) => value)).toEqual([0, 0.02, 0.04, 0.06, 0.08, null])
  expect(new Set(page.readings.map(({ device }) => device))).toEqual(new Set(['tilt-1']))

  const token = readFileSync(join(folder, 'data', 'operator.token'), 'utf8').trim()
  const operator = { Authorization: `Bearer ${token}` }
  const verified = await fetch(`${cloud.http}/v1/operator/verify?gateway=GW-1`, { headers: operator })
  expect(await verified.json()).toEqual({
    ok: true,
    records: 5,
    batches: 3,
    readings: 12,
    losses: [],
    faults: [],
  })
  const dump = await fetch(`${cloud.http}/v1/operator/readings?gateway=GW-1`, { headers: operator })
  const lines = (await dump.text()).trim().split('\n')
  expect(lines.map((line) => (JSON.parse(line) as { takenAt: number }).takenAt).toSorted()).toEqual(
    batches.flatMap((batch) => batch.readings.map((reading) => reading.takenAt)),
  )
  expect((await fetch(`${cloud.http}/v1/operator/counts`)).status).toBe(401)

  expect(await cloud.end('SIGTERM')).toBe(0)
  for (const name of ['cloud.db', 'operator.token', 'keys/root.key', 'keys/signing-1.key']) {
    expect(statSync(join(folder, 'data', name)).mode & 0o777).toBe(0o600)
  }
})

test('a gateway that asks for its policy gets a snapshot it can trust, and the change when a share is added', async () => {
  const { keys, gateway, config } = prepared()
  const cloud = await spawnCloud(config, onTestFinished)
  const link = await linkGateway(gateway, {
    mqtt: cloud.mqtt,
    signer: keys.signing.publicKey,
    defer: onTestFinished,
  })
  const messages = () => link.policy.filter(({ kind }) => kind === 'pol/d').map(({ payload }) => payload)
  const open = (bytes: Uint8Array): OpenedSnapshot =>
    openSnapshot({ rootPublicKey: cloud.trust, gateway: gateway.id, bytes, newestKeyset: undefined })
  const want = { have: 0, want: true, applied: 0 }
  await link.publish('pol', gateway.sign('want', Buffer.from(JSON.stringify(want))))
  await expect.poll(() => messages().length).toBe(1)
  const [whole = new Uint8Array()] = messages()
  const first = open(whole)
  expect(first).toMatchObject({
    ok: true,
    snapshot: { version: 1, owner: { org: 'acme' }, grants: [] },
  })

  const write = async (login: keyof typeof KEYS, call: string, body: object): Promise<void> => {
    const [method = '', path = ''] = call.split(' ')
    const response = await fetch(`${cloud.http}/v1/organisations/${path}`, {
      method,
      headers: {
        ...basic(login),
        'Content-Type': 'application/json',
        'Idempotency-Key': call.replace(' ', ':'),
      },
      body: JSON.stringify(body),
    })
    expect(response.ok, call).toBe(true)
  }
  await write('cobalt:cid', 'PUT cobalt/visibility', { visibility: 'public' })
  await write('acme:ana', 'POST acme/sharing-policies', { name: 'Cobalt' })
  const thing = { kind: 'device', resource: 'GW-1/tilt-1' }
  await write('acme:ana', 'POST acme/shares', { thing, to: { kind: 'org', org: 'cobalt' } })
  await expect.poll(() => messages().length).toBe(2)
  const [, change = new Uint8Array()] = messages()
  expect(isDelta(change)).toBe(true)
  const changed = (): AppliedDelta | undefined => {
    if (!first.ok) return undefined
    const publicKeyFor = keysetLookup(first.keyset)
    const opened = openDelta({ gateway: gateway.id, bytes: change, publicKeyFor })
    return opened.ok ? applyDelta({ version: 1, body: first.body }, opened.delta, gateway.id) : undefined
  }
  expect(changed()).toMatchObject({
    ok: true,
    snapshot: { version: 2, grants: [{ on: { device: 'tilt-1' }, to: { kind: 'org', org: 'cobalt' } }] },
  })
  const heads = link.policy
    .filter(({ kind }) => kind === 'pol/head')
    .map(({ payload }) => Buffer.from(payload).toString())
  expect(JSON.parse(heads.at(-1) ?? '')).toMatchObject({ rev: 2 })
})
