import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { chunkPolicy, sealKeyset, sealSnapshot, sha256 } from '../../../cloud-sync/codec/index.ts'
import { PolicySnapshot } from '../../../cloud-sync/contract/index.ts'
import {
  type Bench,
  cloudKey,
  gatewayId,
  keysetOf,
  makeBench,
  root,
  stranger,
  startAedes,
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
  await bench.uplink.start(signal)
  await expect.poll(() => bench.membership.version()).toBe(7)
})
afterEach(async () => {
  await bench.stop()
})

/** Keys of 3,000 people do not fit one message. */
function large(version: number, key = cloudKey): readonly Uint8Array[] {
  const people = Array.from({ length: 3_000 }, (_, at) => ({ org: 'acme', name: `m-${at}` }))
  const snapshot = PolicySnapshot.parse({
    v: 2,
    gateway: gatewayId,
    version,
    issuedAt: 0,
    owner: { org: 'acme', ownerEpoch: 1 },
    organisations: [{ id: 'acme', name: 'Acme' }],
    members: people.map((one) => ({ ...one, role: 'viewer', incarnation: 1 })),
    keys: people.map((one) => ({
      ...one,
      member: one.name,
      incarnation: 1,
      hash: sha256(Buffer.from(`${one.name} ${version}`)),
    })),
    critical: [],
  })
  return chunkPolicy(sealSnapshot({ keyset: sealKeyset(keysetOf(1, cloudKey), root), snapshot, key }))
}
const send = (...parts: readonly (Uint8Array | undefined)[]): void => {
  for (const part of parts) bench.cloud.send('pol/d', part ?? new Uint8Array())
}
const eight = large(8)
const nine = large(9)

test('a policy in parts is put in force when it is whole, in whatever order its parts come', async () => {
  expect(eight.length).toBeGreaterThan(2)
  send(...eight.toReversed())
  await expect.poll(() => bench.membership.version()).toBe(8)
  await expect.poll(() => bench.cloud.wants.at(-1)).toMatchObject({ want: false, applied: 8 })
})

test('parts of two versions that come into one another make both, and the older one nothing more', async () => {
  send(...eight.flatMap((part, at) => [part, nine[at]]).filter((part) => part !== undefined))
  await expect.poll(() => bench.membership.version()).toBe(9)
  send(...eight)
  send(...nine)
  await expect.poll(() => bench.cloud.wants.length).toBeGreaterThan(1)
  expect(bench.membership.version()).toBe(9)
})

test('a part that never comes is asked for again, as the whole', async () => {
  const asked = bench.cloud.wants.filter(({ want }) => want).length
  send(...eight.slice(1))
  // 5 minutes, at 1/50 of time.
  await expect
    .poll(() => bench.cloud.wants.filter(({ want }) => want).length, { timeout: 60_000 })
    .toBeGreaterThan(asked)
  expect(bench.membership.version()).toBe(7)
  send(...eight)
  await expect.poll(() => bench.membership.version()).toBe(8)
})

test('parts that together are nothing, or signed by a stranger, are refused, and the next good ones are taken', async () => {
  const [first = new Uint8Array(), ...rest] = eight
  const bent = Buffer.from(first)
  bent[5_000] = (bent[5_000] ?? 0) ^ 1
  send(bent, ...rest)
  await expect.poll(() => bench.uplink.status().refused).toBe(1)
  send(...large(8, stranger))
  await expect.poll(() => bench.uplink.status().refused).toBe(2)
  expect(bench.membership.version()).toBe(7)
  send(first, ...rest)
  await expect.poll(() => bench.membership.version()).toBe(8)
})
