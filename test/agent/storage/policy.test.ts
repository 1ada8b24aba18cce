import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  decodeRecord,
  generateKeyPair,
  sealKeyset,
  sealSnapshot,
  signingKey,
} from '../../../cloud-sync/codec/index.ts'
import { type GatewayId, PolicySnapshot } from '../../../cloud-sync/contract/index.ts'
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
  readonly generation?: number
  readonly ownerEpoch?: number
  readonly issuedAt?: number
}

/** A snapshot as the cloud would send it. */
function snapshot({
  version,
  gateway = GATEWAY,
  keyset = 1,
  by = first,
  from = root,
  critical = [],
  generation = 1,
  ownerEpoch = 1,
  issuedAt = 1,
}: Sealed): Uint8Array {
  const body = PolicySnapshot.parse({
    v: 2,
    gateway,
    generation,
    version,
    issuedAt,
    owner: { org: 'acme', ownerEpoch },
    organisations: [{ id: 'acme', name: 'Acme' }],
    members: [],
    critical,
  })
  const sealedKeys = sealKeyset(
    { v: 2, generation, version: keyset, keys: keys.map(({ publicKey }) => publicKey) },
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

test('another owner is in the chain of records, and the same one is not', async () => {
  const events = (): unknown[] =>
    (store.database.prepare('SELECT bytes FROM usage_record ORDER BY seq').pluck().all() as Uint8Array[])
      .map(decodeRecord)
      .flatMap(({ event, org }) => (event === null ? [] : [[event, org]]))
  await store.policy.apply(snapshot({ version: 1 }))
  await store.policy.apply(snapshot({ version: 2 }))
  expect(events()).toEqual([])
  await store.policy.apply(snapshot({ version: 3, ownerEpoch: 2 }))
  expect(events()).toEqual([['owner_change', 'acme']])
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

const mark = (): unknown => JSON.parse(readFileSync(join(place.folder, 'policy-version'), 'utf8'))
const damages: [string, () => void][] = [
  [
    'its snapshot is damaged',
    () => store.database.prepare('UPDATE policy SET bytes = ?').run(Buffer.from([1, 2])),
  ],
  ['its snapshot is empty', () => store.database.prepare('UPDATE policy SET bytes = ?').run(Buffer.alloc(0))],
  ['its snapshot is gone', () => store.database.prepare('DELETE FROM policy').run()],
]
test.for(damages)(
  'where %s nothing is in force, and the same snapshot by any carrier ends that',
  async ([, damage]) => {
    await store.policy.apply(snapshot({ version: 5 }))
    damage()
    await store.stop()
    store = open()
    expect(store.policy.current()).toBeNull()
    expect(store.policy.newest()).toMatchObject({ version: 5 })
    expect(await store.policy.apply(snapshot({ version: 4 }))).toMatchObject({ because: 'older' })
    expect(await store.policy.apply(snapshot({ version: 5 }))).toEqual({ applied: true, version: 5 })
  },
)

test('the note beside the database is 0600, and a damaged one is told and made anew', async () => {
  await store.policy.apply(snapshot({ version: 5 }))
  const path = join(place.folder, 'policy-version')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(mark()).toMatchObject({ generation: 1, version: 5, keyset: 1 })
  await store.stop()
  writeFileSync(path, 'not a note')
  store = open()
  expect(store.policy.version()).toBe(5)
  await expect.poll(() => store.reader.events(5).map(({ kind }) => kind)).toContain('policy_mark_lost')
  expect(mark()).toMatchObject({ version: 5 })
})

test('the note of an older version of this software is read', async () => {
  await store.stop()
  writeFileSync(join(place.folder, 'policy-version'), `${root.publicKey} 7\n`)
  store = open()
  expect(await store.policy.apply(snapshot({ version: 6 }))).toMatchObject({ because: 'older' })
  expect(await store.policy.apply(snapshot({ version: 7 }))).toMatchObject({ applied: true })
})

test('a database that was set back believes no keyset that was replaced meanwhile', async () => {
  await store.stop()
  const old = readFileSync(join(place.folder, 'gateway.db'))
  store = open()
  await store.policy.apply(snapshot({ version: 1, keyset: 2 }))
  await store.stop()
  writeFileSync(join(place.folder, 'gateway.db'), old)
  store = open()
  expect(await store.policy.apply(snapshot({ version: 9, keyset: 1 }))).toMatchObject({ because: 'older' })
})

test('another text under the version in force is an alarm, and changes nothing', async () => {
  await store.policy.apply(snapshot({ version: 5 }))
  expect(await store.policy.apply(snapshot({ version: 5, issuedAt: 2 }))).toEqual({
    applied: false,
    because: 'altered',
  })
  expect(store.policy.refusals()).toMatchObject({ altered: 1, older: 0 })
  await expect
    .poll(() => store.reader.events(1)[0])
    .toMatchObject({
      kind: 'policy_altered',
      detail: { because: 'altered', version: 5, inForce: 5 },
    })
})

test('of a flood of refused policies all are counted and few are told', async () => {
  await store.policy.apply(snapshot({ version: 5 }))
  for (let n = 0; n < 50; n += 1) await store.policy.apply(Uint8Array.of(1, n + 1))
  await store.policy.apply(snapshot({ version: 4 }))
  expect(store.policy.refusals()).toMatchObject({ malformed: 50, older: 1 })
  const told = (): unknown[] =>
    store.reader
      .events(100)
      .filter(({ kind }) => kind === 'policy_refused')
      .map(({ detail }) => detail['because'])
  await expect.poll(told).toEqual(['older', ...Array.from({ length: 5 }, () => 'malformed')])
})

test('a generation that the root raised orders before any version, also by owner, and sets policy time anew', async () => {
  await store.policy.apply(snapshot({ version: 900, ownerEpoch: 4, issuedAt: 10_000_000 }))
  expect(store.policyTime.when().at).toBe(10_000_000)
  const restored = snapshot({ version: 3, generation: 2, ownerEpoch: 2, issuedAt: 5_000_000, by: second })
  expect(await store.policy.apply(restored)).toEqual({ applied: true, version: 3 })
  expect(store.policyTime.when()).toMatchObject({ at: 5_000_000, signed: true })
  expect(await store.policy.apply(snapshot({ version: 901, issuedAt: 10_000_001 }))).toMatchObject({
    because: 'older',
  })
  await store.stop()
  store = open()
  expect(store.policy.version()).toBe(3)
  expect(mark()).toMatchObject({ generation: 2, version: 3, ownerEpoch: 2 })
})

test('policy time of a database that was set back goes on from the note beside it', async () => {
  await store.policy.apply(snapshot({ version: 1, issuedAt: 1_000_000 }))
  await store.stop()
  const old = readFileSync(join(place.folder, 'gateway.db'))
  store = open()
  store.policyTime.learn(9_000_000)
  await store.stop()
  writeFileSync(join(place.folder, 'gateway.db'), old)
  store = open()
  expect(store.policy.version()).toBe(1)
  expect(store.policyTime.when().at).toBe(9_000_000)
})
