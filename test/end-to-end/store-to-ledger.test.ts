import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { gatewayKey } from '../../agent/identity.ts'
import type { Store } from '../../agent/storage/index.ts'
import { openKeys } from '../../cloud-sync/cloud/keys/index.ts'
import type { Epoch, OrgId } from '../../cloud-sync/contract/index.ts'
import { createUplink, type Uplink } from '../../cloud-sync/gateway/index.ts'
import { headgate, headgateJson } from '../support/cli.ts'
import { spawnCloud, writeConfig } from '../support/cloud-process.ts'
import { verified } from '../support/evidence-file.ts'
import { peersVerdict } from '../support/evidence-peer.ts'
import { freePort } from '../support/free-port.ts'
import { type Fork, Operator } from '../support/ledger-operator.ts'
import { havePeer } from '../support/peers.ts'
import { ACME, GATEWAY, OWNER, ownedReading, StoppedClock, testStore } from '../support/store.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** Real processes: on a busy machine each takes seconds to start. */
vi.setConfig({ testTimeout: 90_000 })

const silent = { info: () => undefined, warn: () => undefined }
const BOREALIS = 'borealis' as OrgId

interface Site {
  readonly folder: string
  readonly config: string
  readonly port: number
  readonly clock: StoppedClock
  readonly trust: string
}

async function site(): Promise<Site> {
  const folder = temporaryFolder()
  const port = await freePort()
  const { rootPublicKey: trust } = openKeys(join(folder, 'data'))
  const directory = {
    organisations: [
      { id: ACME, name: 'Acme' },
      { id: BOREALIS, name: 'Borealis' },
    ],
    gateways: [{ id: GATEWAY, organisation: ACME, publicKey: gatewayKey(join(folder, 'gateway')).publicKey }],
    devices: [
      { gateway: GATEWAY, id: 'tilt-north', organisation: ACME },
      { gateway: GATEWAY, id: 'level-1', organisation: BOREALIS },
    ],
  }
  const path = join(folder, 'directory.yaml')
  writeFileSync(path, JSON.stringify(directory))
  return { folder, config: writeConfig(folder, path, port), port, clock: new StoppedClock(), trust }
}

function gatewayStore({ folder, clock, trust }: Site): Store {
  const store = testStore(join(folder, 'gateway'), { clock, trust, intervalMs: 1000 })
  onTestFinished(() => store.stop())
  return store
}

function linked(store: Store, { folder, port, trust }: Site): Uplink {
  const started = performance.now()
  const uplink = createUplink({
    url: `mqtt://127.0.0.1:${port}`,
    gatewayId: GATEWAY,
    key: gatewayKey(join(folder, 'gateway')),
    trust,
    outbox: store.outbox,
    membership: store.policy,
    clock: {
      now: () => performance.now() - started,
      after(ms, run) {
        const timer = setTimeout(run, ms)
        return () => {
          clearTimeout(timer)
        }
      },
    },
    random: Math.random,
    log: silent,
    bootId: 'boot-1',
    sw: '0.1.0',
    timeScale: 0.05,
  })
  onTestFinished(() => uplink.stop())
  return uplink
}

interface Range {
  readonly from: number
  readonly to: number
}

/** Readings of both organisations in turn; every value is another one. */
async function take(store: Store, { clock }: Site, range: Range): Promise<void> {
  for (let n = range.from; n < range.to; n += 1) {
    const theirs = n % 3 === 0
    const owner = theirs ? { ...OWNER, org: BOREALIS } : OWNER
    const device = theirs ? 'level-1' : 'tilt-north'
    await store.take(
      [ownedReading(store, { device, owner, value: n / 100, takenAt: clock.wallMs + n })],
      true,
    )
  }
  // The usage interval ends with the next commit.
  clock.pass(1500)
  await store.writer.submit(() => undefined)
}

async function settled(check: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 60_000; waited += 100) {
    if (await check()) return
    await sleep(100)
  }
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n / 100)

test('what the store took ends once in the ledger, though the cloud was killed and the gateway was away', async () => {
  const here = await site()
  let cloud = await spawnCloud(here.config, onTestFinished)
  const store = gatewayStore(here)
  const uplink = linked(store, here)
  await uplink.start(new AbortController().signal)
  await take(store, here, { from: 0, to: 30 })
  let operator = new Operator(cloud, here)
  await settled(async () => (await operator.values()).length === 30)
  expect(store.policy.version()).toBe(1)

  await cloud.end('SIGKILL')
  await take(store, here, { from: 30, to: 60 })
  cloud = await spawnCloud(here.config, onTestFinished)
  operator = new Operator(cloud, here)
  await settled(async () => (await operator.values()).length === 60 && (await operator.posted())[ACME] === 40)
  expect(await operator.values()).toEqual(upTo(60))
  expect(await operator.posted()).toEqual({ [ACME]: 40, [BOREALIS]: 20 })
  expect(await operator.verify()).toMatchObject({ ok: true, readings: 60 })
  await uplink.stop()
  await store.stop()
  await cloud.end('SIGTERM')
})

test('a gateway set back to an older disk goes on in a new epoch, and nothing is billed twice', async () => {
  const here = await site()
  const cloud = await spawnCloud(here.config, onTestFinished)
  const operator = new Operator(cloud, here)
  const life = async (range: { from: number; to: number }): Promise<void> => {
    const store = gatewayStore(here)
    const uplink = linked(store, here)
    await uplink.start(new AbortController().signal)
    await take(store, here, range)
    await settled(async () => {
      const { streams } = uplink.status()
      return (await operator.values()).includes((range.to - 1) / 100) && streams.usage.unacknowledged === 0
    })
    await uplink.stop()
    await store.stop()
  }
  await life({ from: 0, to: 9 })
  const image = copyOf(here.folder)
  await life({ from: 9, to: 18 })
  image.putBack()
  await life({ from: 18, to: 27 })
  await settled(async () => (await operator.posted())[ACME] === 18)
  const ledger = await operator.ledger()
  const usage = ledger.streams.filter(({ stream }) => stream === 'usage')
  expect(usage.map(({ parent }) => parent)).toEqual([null, usage[0]?.epoch])
  expect(new Set(await operator.values())).toEqual(new Set(upTo(27)))
  expect(await operator.posted()).toEqual({ [ACME]: 18, [BOREALIS]: 9 })
  expect(await operator.verify()).toMatchObject({ ok: true })
  await cloud.end('SIGTERM')
})

test('a card in two boxes is listed as a fork and billed from one only, until the operator says which; then nothing twice', async () => {
  const here = await site()
  const cloud = await spawnCloud(here.config, onTestFinished)
  const operator = new Operator(cloud, here)
  const asks = ['--url', cloud.http, '--token-file', join(here.folder, 'data', 'operator.token')]
  const forks = async (): Promise<Fork[]> => {
    const { json } = await headgateJson(['cloud', 'operator', 'forks', ...asks])
    return (json as { forks: Fork[] }).forks.filter(({ stream }) => stream === 'usage')
  }
  /** Connected until that holds; the box, still connected, and the epoch of its usage then. */
  const connected = async (of: Site, range: Range, holds: (epoch: Epoch) => Promise<boolean>) => {
    const store = gatewayStore(of)
    await take(store, of, range)
    const uplink = linked(store, of)
    await uplink.start(new AbortController().signal)
    const epochNow = (): Epoch => (store.outbox.streams().usage?.epoch ?? '') as Epoch
    await settled(() => holds(epochNow()))
    const stop = async (): Promise<void> => {
      await uplink.stop()
      await store.stop()
    }
    return { epoch: epochNow(), epochNow, stop, store }
  }
  const posts = (count: number) => async () => (await operator.posted())[ACME] === count
  const refused = async (epoch: Epoch) => (await operator.held()).includes(epoch)

  const first = await connected(here, { from: 0, to: 9 }, posts(6))
  await first.stop()
  const copy = { ...here, folder: temporaryFolder() }
  cpSync(join(here.folder, 'gateway'), join(copy.folder, 'gateway'), { recursive: true })
  await (await connected(here, { from: 9, to: 18 }, posts(12))).stop()
  // The copy goes on under an epoch of its own, as a restored disk does; then the first box finds its place taken.
  const copied = await connected(copy, { from: 18, to: 27 }, posts(18))
  await copied.stop()
  const kept = await connected(here, { from: 27, to: 36 }, refused)
  expect(new Set([first.epoch, copied.epoch, kept.epoch]).size).toBe(3)
  expect(await operator.posted()).toEqual({ [ACME]: 18, [BOREALIS]: 9 })
  const waits = { gateway: GATEWAY, epoch: kept.epoch, parent: first.epoch, state: 'held' }
  expect(await forks()).toMatchObject([{ ...waits, because: 'second-child' }])
  expect(await operator.alarms()).toBeGreaterThan(0)

  const told = await headgateJson(['ledger', 'resolve', GATEWAY, kept.epoch, '--adopt', ...asks])
  expect(told).toMatchObject({ code: 0, json: { gateway: GATEWAY, epoch: kept.epoch, verdict: 'adopt' } })
  // The box is still there: it is told at once, and what waited comes; then what is new.
  await settled(posts(24))
  await take(kept.store, here, { from: 36, to: 45 })
  await settled(posts(30))
  expect([kept.epochNow(), await forks()]).toEqual([kept.epoch, []])
  await kept.stop()

  // Now it is the copy that finds its place taken, and nothing of it counts.
  const again = await connected(copy, { from: 45, to: 54 }, refused)
  await again.stop()
  expect(await forks()).toMatchObject([{ epoch: again.epoch, parent: copied.epoch, state: 'held' }])
  const scrapped = ['ledger', 'resolve', GATEWAY, again.epoch, '--close', '--reason', 'scrapped', ...asks]
  expect(await headgateJson(scrapped)).toMatchObject({ code: 0, json: { verdict: 'close' } })
  expect(await forks()).toEqual([])

  // 45 readings of which every third is borealis'; each organisation has one sensor on one day.
  expect(await operator.posted()).toEqual({ [ACME]: 30, [BOREALIS]: 15 })
  const days = (await operator.ledger()).posted.filter(({ meter }) => meter === 'sensor.active_day')
  expect(days.map(({ org, quantity }) => `${org} ${quantity}`).toSorted()).toEqual([
    `${ACME} 1`,
    `${BOREALIS} 1`,
  ])
  expect(await operator.verify()).toMatchObject({ ok: true })
  await cloud.end('SIGTERM')
})

test('a cloud put back from a backup books what its gateway has no more as lost, goes on, and bills it all', async () => {
  const here = await site()
  let cloud = await spawnCloud(here.config, onTestFinished)
  let operator = new Operator(cloud, here)
  const store = gatewayStore(here)
  const uplink = linked(store, here)
  await uplink.start(new AbortController().signal)
  const billed = async (readings: number): Promise<boolean> =>
    (await operator.posted())[ACME] === readings && uplink.status().streams.usage.unacknowledged === 0
  await take(store, here, { from: 0, to: 9 })
  await settled(() => billed(6))
  await cloud.end('SIGTERM')
  const backup = copyOf(here.folder, 'data')
  cloud = await spawnCloud(here.config, onTestFinished)
  operator = new Operator(cloud, here)
  await take(store, here, { from: 9, to: 18 })
  await settled(() => billed(12))
  // So long ago that the gateway has forgotten what was confirmed.
  await store.writer.submit((database) => {
    database.prepare('DELETE FROM usage_record WHERE acked_at IS NOT NULL').run()
  })
  await cloud.end('SIGTERM')
  backup.putBack()
  cloud = await spawnCloud(here.config, onTestFinished)
  operator = new Operator(cloud, here)
  await take(store, here, { from: 18, to: 27 })
  await settled(() => billed(18))
  // Registers only grow: what the lost records told is in the ones after them.
  expect(await operator.posted()).toEqual({ [ACME]: 18, [BOREALIS]: 9 })
  expect(uplink.status().streams.usage.unacknowledged).toBe(0)
  const { ok, losses } = await operator.verify()
  expect([ok, losses.length]).toEqual([true, 1])
  expect((await operator.ledger()).streams.filter(({ stream }) => stream === 'usage')).toHaveLength(1)
  expect(await operator.counts()).toMatchObject({ lost: 1 })
  const { first, last } = losses[0] ?? { first: 0, last: 0 }
  const file = await operator.evidence()
  const report = await verified(file, { trust: here.trust })
  expect(report).toMatchObject({ ok: true, fault: null, streams: [{ lost: last - first + 1 }] })
  if (havePeer('python-cryptography'))
    expect(peersVerdict(file, here.trust)).toMatchObject({ ok: true, what: null })
  const token = ['--url', cloud.http, '--token-file', join(here.folder, 'data', 'operator.token')]
  expect((await headgate(['ledger', 'verify', '--live', GATEWAY, ...token])).stdout).toContain(
    `LOST: records ${first} to ${last} of epoch`,
  )
  await uplink.stop()
  await store.stop()
  await cloud.end('SIGTERM')
})

/** A folder of the site's, the gateway's if no other, as a backup would have it. */
function copyOf(folder: string, part = 'gateway'): { putBack: () => void } {
  const image = join(folder, 'image')
  cpSync(join(folder, part), image, { recursive: true })
  return {
    putBack: () => {
      rmSync(join(folder, part), { recursive: true })
      cpSync(image, join(folder, part), { recursive: true })
    },
  }
}
