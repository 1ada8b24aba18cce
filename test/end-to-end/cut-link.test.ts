import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Store } from '../../agent/storage/index.ts'
import { openKeys } from '../../cloud-sync/cloud/keys/index.ts'
import { STREAMS } from '../../cloud-sync/contract/index.ts'
import { createUplink, type Uplink } from '../../cloud-sync/gateway/index.ts'
import { KEYS, writeDirectory } from '../support/cloud-fixture.ts'
import { spawnCloud, writeConfig } from '../support/cloud-process.ts'
import { fakeGateway, type FakeGateway } from '../support/fake-gateway.ts'
import { LinkProxy } from '../support/link-proxy.ts'
import { GATEWAY, hastyClock, ownedReading, testStore } from '../support/store.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** The uplink as the gateway runs it, only fifty times as impatient. */
function uplinkOf(
  store: Store,
  gateway: FakeGateway,
  { port, trust }: { port: number; trust: string },
): Uplink {
  return createUplink({
    url: `mqtt://127.0.0.1:${String(port)}`,
    gatewayId: gateway.id,
    key: gateway.key,
    trust,
    outbox: store.outbox,
    membership: store.policy,
    clock: {
      now: () => performance.now(),
      after: (delayMs, run) => {
        const timer = setTimeout(run, delayMs)
        return () => {
          clearTimeout(timer)
        }
      },
    },
    random: Math.random,
    log: { info: () => undefined, warn: () => undefined },
    bootId: 'boot-1',
    sw: '0.1.0',
    timeScale: 0.02,
  })
}

interface Day {
  readonly meter: string
  readonly quantity: string
}

const take = (store: Store, from: number, count: number): Promise<void> =>
  store.take(
    Array.from({ length: count }, (_, at) =>
      ownedReading(store, {
        device: 'tilt-1',
        value: (from + at) / 100,
        takenAt: Date.UTC(2026, 10, 21) + from + at,
      }),
    ),
  )

test('through a link that is cut again and again, and a restart, every reading and its usage is in the ledger once', {
  timeout: 120_000,
}, async () => {
  const folder = temporaryFolder()
  const keys = openKeys(join(folder, 'data'))
  const gateway = fakeGateway(GATEWAY, keys.cloudId)
  const cloud = await spawnCloud(writeConfig(folder, writeDirectory(folder, [gateway])), onTestFinished)
  const { hostname, port } = new URL(cloud.mqtt)
  const proxy = new LinkProxy({ host: hostname, port: Number(port) })
  const link = { port: await proxy.start(), trust: cloud.trust }
  onTestFinished(() => proxy.stop())

  let store = testStore(join(folder, 'gateway'), {
    trust: cloud.trust,
    clockFrom: hastyClock,
    intervalMs: 500,
  })
  let uplink = uplinkOf(store, gateway, link)
  onTestFinished(async () => {
    await uplink.stop()
    await store.stop()
  })
  await store.start(new AbortController().signal)
  await uplink.start(new AbortController().signal)
  const ROUNDS = 12
  const EACH = 50
  for (let round = 0; round < ROUNDS; round += 1) {
    await take(store, round * EACH, EACH)
    await new Promise((resolve) => setTimeout(resolve, 50 + ((round * 61) % 90)))
    proxy.cut()
    if (round !== ROUNDS / 2) continue
    await uplink.stop()
    await store.stop()
    store = testStore(join(folder, 'gateway'), { trust: cloud.trust, clockFrom: hastyClock, intervalMs: 500 })
    await store.start(new AbortController().signal)
    uplink = uplinkOf(store, gateway, link)
    await uplink.start(new AbortController().signal)
  }
  const isDrained = (): boolean => {
    const standing = store.outbox.streams()
    return STREAMS.every((stream) => standing[stream]?.oldest === standing[stream]?.next)
  }
  await expect.poll(isDrained, { timeout: 60_000, interval: 50 }).toBe(true)

  const token = readFileSync(join(folder, 'data', 'operator.token'), 'utf8').trim()
  const operator = { headers: { Authorization: `Bearer ${token}` } }
  const dump = async (): Promise<number[]> => {
    const response = await fetch(`${cloud.http}/v1/operator/readings?gateway=${GATEWAY}`, operator)
    const lines = (await response.text()).trim().split('\n')
    return lines.map((line) => Math.round((JSON.parse(line) as { value: number }).value * 100))
  }
  const everyReading = Array.from({ length: ROUNDS * EACH }, (_, at) => at)
  await expect
    .poll(async () => (await dump()).toSorted((a, b) => a - b), { timeout: 60_000, interval: 200 })
    .toEqual(everyReading)
  const verified = await fetch(`${cloud.http}/v1/operator/verify?gateway=${GATEWAY}`, operator)
  expect(await verified.json()).toMatchObject({ ok: true, readings: ROUNDS * EACH, faults: [] })
  const usage = async (): Promise<number> => {
    const login = Buffer.from(`acme:ana:${KEYS['acme:ana']}`).toString('base64')
    const response = await fetch(`${cloud.http}/v1/usage`, { headers: { Authorization: `Basic ${login}` } })
    return ((await response.json()) as { days: Day[] }).days
      .filter(({ meter }) => meter === 'sensor.readings')
      .reduce((sum, { quantity }) => sum + Number(quantity), 0)
  }
  await expect.poll(usage, { timeout: 60_000, interval: 200 }).toBe(ROUNDS * EACH)
  expect(store.policy.version()).toBeGreaterThan(0)
})
