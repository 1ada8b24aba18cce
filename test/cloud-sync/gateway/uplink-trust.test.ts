import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { sealAck, sha256, shardOf } from '../../../cloud-sync/codec/index.ts'
import { Epoch, GatewayId, type Stream, STREAMS } from '../../../cloud-sync/contract/index.ts'
import { readDown } from '../../../cloud-sync/gateway/down.ts'
import { Keyring } from '../../../cloud-sync/gateway/keyring.ts'
import {
  type Bench,
  cloudKey,
  gatewayId,
  keysetOf,
  makeBench,
  root,
  snapshotOf,
  startAedes,
  stranger,
} from './link-bench.ts'

let broker: Awaited<ReturnType<typeof startAedes>>
let bench: Bench
const signal = new AbortController().signal
beforeAll(async () => {
  broker = await startAedes()
})
afterAll(async () => {
  await broker.stop()
})
beforeEach(async () => {
  bench = await makeBench({ brokerPort: broker.port })
})
afterEach(async () => {
  await bench.stop()
})

const numbered = (stream: Stream, count: number): string[] =>
  Array.from({ length: count }, (_, at) => `${stream} ${String(at + 1)}`)

const forged = {
  epoch: Epoch.parse('5f'.repeat(16)),
  upTo: 20,
  hash: sha256(new Uint8Array()),
  status: 'ok' as const,
  serverTime: 1_990_000_000_000,
}
test.for<[string, () => Uint8Array]>([
  ['by a stranger', () => sealAck({ stream: 'usage', gateway: gatewayId, ack: forged, key: stranger })],
  [
    'for another gateway',
    () => sealAck({ stream: 'usage', gateway: GatewayId.parse('GW-2'), ack: forged, key: cloudKey }),
  ],
  ['for another stream', () => sealAck({ stream: 'rd', gateway: gatewayId, ack: forged, key: cloudKey })],
  ['as noise', () => new Uint8Array(200)],
])('an acknowledgement signed %s takes nothing away and tells no time', async ([, made]) => {
  const times: number[] = []
  await bench.stop()
  bench = await makeBench({ brokerPort: broker.port, uplink: { onTrustedTime: (time) => times.push(time) } })
  await bench.uplink.start(signal)
  await expect.poll(() => times.length).toBeGreaterThan(0)
  bench.cloud.isMute = true
  bench.outbox.add('usage', ...numbered('usage', 20))
  bench.cloud.send('ack/usage', made())
  await expect.poll(() => bench.uplink.status().refused).toBeGreaterThan(0)
  expect(bench.uplink.status().streams.usage.acknowledged).toBe(0)
  expect(bench.outbox.isEmpty).toBe(false)
  expect(Math.max(...times)).toBeLessThan(forged.serverTime)
})

test('trusted time only goes forward, whatever old acknowledgement comes again', async () => {
  const times: number[] = []
  await bench.stop()
  bench = await makeBench({ brokerPort: broker.port, uplink: { onTrustedTime: (time) => times.push(time) } })
  await bench.uplink.start(signal)
  await expect.poll(() => times.length).toBeGreaterThan(0)
  bench.cloud.acknowledge('rd', { serverTime: 1_000 })
  bench.cloud.acknowledge('rd', { serverTime: 1_800_000_000_000 })
  await expect.poll(() => times.at(-1)).toBe(1_800_000_000_000)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
})

test('policy is asked for at connect and on a hint, applied, and reported', async () => {
  await bench.uplink.start(signal)
  await expect.poll(() => bench.membership.version()).toBe(7)
  expect(bench.cloud.wants[0]).toEqual({ generation: 1, have: 0, want: true, applied: 0 })
  await expect
    .poll(() => bench.cloud.wants.at(-1))
    .toEqual({ generation: 1, have: 7, want: false, applied: 7 })
  const newer = snapshotOf(8, keysetOf(1, cloudKey))
  bench.cloud.snapshot = newer
  const hint = JSON.stringify({ rev: 8, hash: sha256(newer) })
  bench.cloud.send('pol/head', new TextEncoder().encode(hint), true)
  await expect
    .poll(() => bench.cloud.wants.at(-1))
    .toEqual({ generation: 1, have: 8, want: false, applied: 8 })
  bench.cloud.send('pol/d', snapshotOf(9, keysetOf(2, stranger), cloudKey))
  await expect.poll(() => bench.uplink.status().refused).toBe(1)
  expect(bench.membership.version()).toBe(8)
})

test('a gateway that missed a change of keys asks for them and recovers by itself', async () => {
  await bench.uplink.start(signal)
  await expect.poll(() => bench.membership.version()).toBe(7)
  bench.cloud.key = stranger
  bench.cloud.snapshot = snapshotOf(7, keysetOf(2, stranger), stranger)
  for (const stream of STREAMS) bench.outbox.add(stream, ...numbered(stream, 20))
  await expect.poll(() => bench.outbox.isEmpty, { timeout: 60_000, interval: 10 }).toBe(true)
  for (const stream of STREAMS) expect(bench.cloud.items(stream)).toEqual(numbered(stream, 20))
  expect(bench.cloud.faults).toEqual([])
})

test('no topic and no bytes from the cloud make it throw or believe', () => {
  const keyring = new Keyring(root.publicKey, gatewayId)
  keyring.learn(keysetOf(1, cloudKey))
  const kinds = [...STREAMS.map((stream) => `ack/${stream}`), 'pol/head', 'pol/d', 'cmd', 'nonsense']
  const topics = fc.oneof(
    fc.string(),
    fc.constantFrom(...kinds).map((kind) => `hg1/${shardOf(gatewayId)}/${gatewayId}/dn/${kind}`),
  )
  fc.assert(
    fc.property(topics, fc.uint8Array({ maxLength: 300 }), (topic, payload) => {
      expect(readDown({ options: { gatewayId }, keyring }, topic, payload).what).not.toBe('ack')
    }),
    { numRuns: 1000 },
  )
})
