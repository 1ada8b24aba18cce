import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { Owner } from '../../agent/metering/index.ts'
import type { Store } from '../../agent/storage/index.ts'
import { ledgerUsage } from '../../cloud-sync/cloud/quotas/index.ts'
import { usageDays } from '../../cloud-sync/cloud/storage/index.ts'
import { decodeRecord, sha256 } from '../../cloud-sync/codec/index.ts'
import type { SealedRecord, WorkspaceId } from '../../cloud-sync/contract/index.ts'
import { done, openTestDirectory, refusal, type TestDirectory } from '../support/directory-world.ts'
import { fakeGateway, usageBody } from '../support/fake-gateway.ts'
import { acmeWithWorkspaces, quotasOver, sharesAt } from '../support/quota-cloud.ts'
import { ACME, GATEWAY, ownedReading, StoppedClock, testStore } from '../support/store.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { CLOUD_ID, testLedger } from '../support/test-ledger.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const METER = 'storage.max'

/** A gateway's real store, on which each device is of a workspace. */
class Storing {
  readonly clock = new StoppedClock()
  readonly store: Store
  constructor(wallMs: number) {
    this.clock.wallMs = wallMs
    this.store = testStore(temporaryFolder(), { clock: this.clock })
    onTestFinished(() => this.store.stop())
  }
  /** So many times fifty readings, now. */
  async take(device: string, workspace: string, times: number): Promise<void> {
    const owner: Owner = { org: ACME, ownerEpoch: 1, custodian: null, workspace: workspace as WorkspaceId }
    const takenAt = this.clock.wallMs
    const taken = Array.from({ length: 50 * times }, (_, value) =>
      ownedReading(this.store, { device, value: (value * 7919) % 1000, takenAt, owner }),
    )
    await this.store.take(taken, true)
    this.store.published(Number.MAX_SAFE_INTEGER)
  }
  /** An hour later they are packed. */
  async pack(): Promise<void> {
    this.clock.pass(HOUR_MS)
    for (let look = 0; look < 3; look += 1) {
      this.store.upkeep()
      await this.store.writer.commitSoon()
      await setImmediate()
    }
  }
  /** What the packed readings of a device take in the file itself, not as any meter has counted it. */
  sizeOf(device: string): bigint {
    const size = this.store.database
      .prepare(
        `SELECT coalesce(sum(length(body)), 0) FROM pack JOIN channel ON channel.no = pack.channel
         WHERE json_extract(def, '$.device') = ?`,
      )
      .pluck()
      .get(device)
    return BigInt(size as number)
  }
  records(): SealedRecord[] {
    const rows = this.store.database.prepare('SELECT bytes FROM usage_record ORDER BY seq').pluck().all()
    return (rows as Uint8Array[]).map((bytes) => {
      return { record: decodeRecord(bytes), bytes, hash: sha256(bytes) }
    })
  }
}

async function emptyDirectory(): Promise<TestDirectory> {
  const directory = await openTestDirectory({
    dialect: 'sqlite',
    path: join(temporaryFolder(), 'organisations.db'),
  })
  onTestFinished(() => directory.close())
  return directory
}

test('S3.17 storage is measured by what readings really take on the gateways, one total over all workspaces of the account', async () => {
  const d = await emptyDirectory()
  const { wall, crest } = await acmeWithWorkspaces(d, [GATEWAY])
  const gateway = fakeGateway(GATEWAY, CLOUD_ID)
  const ledger = await testLedger(gateway)
  const usage = ledgerUsage({
    days: (asked) => usageDays(ledger.db.read, asked),
    gatewaysOf: () => Promise.resolve([GATEWAY]),
  })
  Object.assign(d.world, { usage })
  const quotas = quotasOver(d, usage)
  onTestFinished(() => quotas.stop())

  const site = new Storing(Math.floor(d.now() / DAY_MS) * DAY_MS + HOUR_MS)
  await site.take('wall', wall, 3)
  await site.take('crest', crest, 1)
  await site.pack()
  const sizes = { wall: site.sizeOf('wall'), crest: site.sizeOf('crest') }
  expect(sizes.wall).toBeGreaterThan(sizes.crest)
  expect(sizes.crest).toBeGreaterThan(0n)
  // The day ends, and its record goes to the cloud.
  site.clock.pass(DAY_MS)
  await site.take('wall', wall, 1)
  const records = site.records()
  expect(await ledger.deliver(gateway, 'usage', usageBody(records))).toMatchObject({ status: 'ok' })

  const month = new Date(d.now()).toISOString().slice(0, 7)
  const metered = await usage.ofMonth({ org: ACME, month, meters: [METER] })
  expect(new Map(metered.map(({ workspace, quantity }) => [workspace, quantity]))).toEqual(
    new Map([
      [wall, sizes.wall],
      [crest, sizes.crest],
    ]),
  )

  // The account has exactly what both take: not a byte more is given out, and each is at its limit.
  const total = Number(sizes.wall + sizes.crest)
  const give = (workspace: string, bytes: bigint | number) =>
    d.write.workspaces.allocate(d.as('ana', ACME), {
      ...{ org: ACME, workspace, quotas: { [METER]: Number(bytes) } },
    })
  await done(d.write.organisations.govern(d.operator(), { org: ACME, quotas: { [METER]: total } }))
  await done(give(wall, sizes.wall))
  expect(await refusal(give(crest, sizes.crest + 1n))).toBe('DIRECTORY_QUOTA_EXCEEDED')
  await done(give(crest, sizes.crest))
  await quotas.look()
  const standing = async (workspace: string) =>
    (await done(d.ask.quotas.ofWorkspace(d.actor('ana', ACME), { org: ACME, workspace })))[0]
  for (const [workspace, size] of [
    [wall, sizes.wall],
    [crest, sizes.crest],
  ] as const) {
    const [used, limit] = [String(size), String(size)]
    expect(await standing(workspace)).toMatchObject({ meter: METER, used, limit, percent: 100 })
    // Its gateway is told, and holds it to that.
    expect(await sharesAt(d, workspace)).toEqual({ [GATEWAY]: Number(size) })
  }
  // With one more day of the same the account's total is raised, or another workspace's share lowered.
  await done(d.write.organisations.govern(d.operator(), { org: ACME, quotas: { [METER]: 2 * total } }))
  await done(give(crest, 2n * sizes.crest))
  expect(await standing(crest)).toMatchObject({ percent: 50 })
})
