import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { generateKeyPair, sealKeyset, sealSnapshot, signingKey } from '../../../cloud-sync/codec/index.ts'
import { type GatewayId, StoredPolicySnapshot } from '../../../cloud-sync/contract/index.ts'
import type { Store } from '../../../agent/storage/index.ts'
import { GATEWAY, ownedReading, StoppedClock, temporaryFolder, testStore } from '../../support/store.ts'

const root = signingKey(generateKeyPair().privateKey)
const keys = [1, 2].map(() => signingKey(generateKeyPair().privateKey))
const [first = root, second = root] = keys

interface Sealed {
  readonly version: number
  readonly gateway?: string
  readonly keyset?: number
  readonly by?: typeof root
  readonly from?: typeof root
  readonly critical?: string[]
}

/** A snapshot as the cloud would send it. */
function snapshot({
  version,
  gateway = GATEWAY,
  keyset = 1,
  by = first,
  from = root,
  critical = [],
}: Sealed): Uint8Array {
  const body = StoredPolicySnapshot.parse({
    v: 1,
    gateway,
    version,
    issuedAt: 1,
    gatewayOrg: 'acme',
    organisations: [{ id: 'acme', name: 'Acme' }],
    members: [],
    keys: [],
    devices: [],
    shares: [],
    critical,
  })
  const sealedKeys = sealKeyset(
    { v: 2, generation: 1, version: keyset, keys: keys.map(({ publicKey }) => publicKey) },
    from,
  )
  return sealSnapshot({ keyset: sealedKeys, snapshot: body, key: by })
}

let place: ReturnType<typeof temporaryFolder>
let clock: StoppedClock
let store: Store
const open = (trust: string | null = root.publicKey): Store => testStore(place.folder, { clock, trust })
beforeEach(() => {
  place = temporaryFolder()
  clock = new StoppedClock()
  store = open()
})
afterEach(async () => {
  await store.stop()
  place.remove()
})

test('a snapshot signed under the root is in force once it is committed, and after a restart', async () => {
  const heard: number[] = []
  store.policy.onApplied(({ version }) => heard.push(version))
  expect(store.policy.current()).toBeNull()
  const applying = store.policy.apply(snapshot({ version: 3 }))
  expect(store.policy.version()).toBe(0)
  expect(await applying).toEqual({ applied: true, version: 3 })
  expect(heard).toEqual([3])
  expect(store.reader.events(1)[0]).toMatchObject({
    kind: 'policy_applied',
    detail: { version: 3, before: 0 },
  })
  await store.stop()
  store = open()
  expect(store.policy.version()).toBe(3)
  expect(store.policy.keyset()?.version).toBe(1)
})

const stranger = signingKey(generateKeyPair().privateKey)
const refusals: [string, Sealed, string][] = [
  ['the same version', { version: 5 }, 'same'],
  ['an older version', { version: 4 }, 'older'],
  ['one for another gateway', { version: 6, gateway: 'GW-2' }, 'other-gateway'],
  ['one under another root', { version: 6, from: stranger }, 'unsigned'],
  ['one signed by a key of nobody', { version: 6, by: stranger }, 'unsigned'],
  ['one with a part this version does not understand', { version: 6, critical: ['quota'] }, 'critical'],
]
test.for(refusals)('%s is refused and changes nothing', async ([, sealed, because]) => {
  await store.policy.apply(snapshot({ version: 5 }))
  const outcome = await store.policy.apply(snapshot(sealed))
  expect(outcome).toEqual({ applied: false, because })
  expect(store.policy.version()).toBe(5)
})

test('any flipped bit is refused', async () => {
  const bytes = snapshot({ version: 1 })
  for (let at = 0; at < bytes.length; at += 13) {
    const changed = Uint8Array.from(bytes)
    changed[at] = (changed[at] ?? 0) ^ 1
    expect(await store.policy.apply(changed)).toMatchObject({ applied: false })
  }
  expect(store.policy.version()).toBe(0)
})

test('without a root to trust nothing is accepted', async () => {
  await store.stop()
  store = open(null)
  expect(await store.policy.apply(snapshot({ version: 1 }))).toEqual({ applied: false, because: 'unsigned' })
})

test('a keyset that was replaced is not believed any more, not even with a newer snapshot', async () => {
  await store.policy.apply(snapshot({ version: 1, keyset: 2 }))
  expect(await store.policy.apply(snapshot({ version: 2, keyset: 1 }))).toMatchObject({ because: 'older' })
})

test('the snapshot in force, sent again under newer keys, brings the keys', async () => {
  await store.policy.apply(snapshot({ version: 1 }))
  expect(await store.policy.apply(snapshot({ version: 1, keyset: 2, by: second }))).toMatchObject({
    because: 'same',
  })
  expect(store.policy.keyset()?.version).toBe(2)
  await store.stop()
  store = open()
  expect(store.policy.keyset()?.version).toBe(2)
})

test('a database that was set back does not bring back an old policy: nothing is in force until a newer one', async () => {
  await store.policy.apply(snapshot({ version: 1 }))
  await store.stop()
  const old = readFileSync(join(place.folder, 'gateway.db'))
  store = open()
  await store.policy.apply(snapshot({ version: 2 }))
  await store.stop()
  const { writeFileSync } = await import('node:fs')
  writeFileSync(join(place.folder, 'gateway.db'), old)
  store = open()
  expect(store.policy.version()).toBe(0)
  expect(await store.policy.apply(snapshot({ version: 1 }))).toEqual({ applied: false, because: 'older' })
  expect(await store.policy.apply(snapshot({ version: 2 }))).toEqual({ applied: true, version: 2 })
})

test('a new snapshot ends the usage interval: what was counted stays with the old owners', async () => {
  await store.take([ownedReading(store)])
  await store.policy.apply(snapshot({ version: 1 }))
  expect(store.reader.counts().usageRecords).toBe(1)
})

test('of two snapshots that arrive together the newer one stays', async () => {
  const outcomes = await Promise.all([2, 1].map((version) => store.policy.apply(snapshot({ version }))))
  expect(outcomes[0]).toEqual({ applied: true, version: 2 })
  expect(store.policy.version()).toBe(2)
})

test('the same snapshot by two carriers at once is applied once', async () => {
  const outcomes = await Promise.all([3, 3].map((version) => store.policy.apply(snapshot({ version }))))
  expect(outcomes).toEqual([
    { applied: true, version: 3 },
    { applied: false, because: 'same' },
  ])
})

test('the gateway named in the snapshot must be this one', async () => {
  await store.stop()
  store = testStore(place.folder, { clock, trust: root.publicKey, gateway: 'GW-9' as GatewayId })
  expect(await store.policy.apply(snapshot({ version: 1 }))).toMatchObject({ applied: false })
})
