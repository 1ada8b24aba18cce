import { afterAll, beforeAll, expect, test } from 'vitest'
import { followLog } from '../../../../cloud-sync/cloud/policies/follow.ts'
import { openDirectoryStore } from '../../../../cloud-sync/cloud/storage/index.ts'
import type { GatewayId } from '../../../../cloud-sync/contract/index.ts'
import { fakeGateway } from '../../../support/fake-gateway.ts'
import { havePeer } from '../../../support/peers.ts'
import { type PostgresCluster, startPostgres } from '../../../support/postgres.ts'
import { seededCloud } from '../../../support/seeded-cloud.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'

const GW1 = 'GW-1' as GatewayId
const postgres = havePeer('postgresql')
const onPostgres = postgres ? test : test.skip
let cluster: PostgresCluster | undefined
beforeAll(async () => {
  if (postgres) cluster = await startPostgres()
}, 60_000)
afterAll(async () => {
  await cluster?.stop()
}, 30_000)

onPostgres(
  'two clouds on one database make each version once, and both hear of what either wrote',
  async () => {
    const target = { dialect: 'postgres', url: cluster?.database('two') ?? '' } as const
    const folder = temporaryFolder()
    const gateways = [fakeGateway('GW-1', '0')]
    const here = await seededCloud(folder, { gateways, target })
    const there = await seededCloud(folder, { gateways, target })
    const heard: number[] = []
    there.policies.onSealed((_gateway, { version }) => heard.push(version))
    const share = { kind: 'share.added', gateway: GW1, device: 'tilt-1', sensor: null, level: 'viewer' }
    await here.change({ ...share, id: 's1', to: { org: 'cobalt', member: null } })
    await expect.poll(() => heard.at(-1), { timeout: 60_000 }).toBe(2)
    expect(there.policies.policyOf(GW1)?.grants).toMatchObject([{ id: 's1' }])
    expect((await there.policies.sealedFor(GW1))?.hash).toBe((await here.policies.sealedFor(GW1))?.hash)
    await here.close()
    await there.close()
  },
)

onPostgres('an entry that is committed after a later one is not missed', async () => {
  const store = await openDirectoryStore({ dialect: 'postgres', url: cluster?.database('gap') ?? '' })
  let now = 0
  const cursor = followLog(store.read, () => now)
  await cursor.begin()
  const entry = (seq: number) => ({ chain: 'org:a', seq, hash: '0', at: 0, kind: 'k', entry: '{"ops":[]}' })
  let release = (): void => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  let begun = (): void => undefined
  const started = new Promise<void>((resolve) => {
    begun = resolve
  })
  const early = store.transaction(async (tx) => {
    await tx.add('policy_log', entry(1))
    begun()
    await held
  })
  await started
  await store.transaction((tx) => tx.add('policy_log', entry(2)))
  const seqs = async () => (await cursor.next()).map(({ seq }) => seq)
  expect(await seqs()).toEqual([2])
  expect(await seqs()).toEqual([])
  release()
  await early
  expect(await seqs()).toEqual([1])
  // A write that was taken back leaves its position empty for ever; the cursor waits for it only so long.
  await store
    .transaction(async (tx) => {
      await tx.add('policy_log', entry(3))
      throw new Error('taken back')
    })
    .catch(() => undefined)
  await store.transaction((tx) => tx.add('policy_log', entry(4)))
  expect(await seqs()).toEqual([4])
  now = 120_000
  expect(await seqs()).toEqual([])
  await store.transaction((tx) => tx.add('policy_log', entry(5)))
  expect(await seqs()).toEqual([5])
  await store.close()
})
