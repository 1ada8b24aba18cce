import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { gatewayKey } from '../../agent/identity.ts'
import type { Store } from '../../agent/storage/index.ts'
import { openKeys } from '../../cloud-sync/cloud/keys/index.ts'
import type { Epoch, OrgId } from '../../cloud-sync/contract/index.ts'
import { createUplink, type Uplink } from '../../cloud-sync/gateway/index.ts'
import { type CloudProcess, spawnCloud, writeConfig } from '../support/cloud-process.ts'
import { freePort } from '../support/free-port.ts'
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

/** Readings of both organisations in turn; every value is another one. */
async function take(store: Store, { clock }: Site, range: { from: number; to: number }): Promise<void> {
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

interface LedgerDump {
  readonly streams: { stream: string; epoch: Epoch; upTo: number; state: string; parent: Epoch | null }[]
  readonly posted: { org: string; meter: string; subject: string; quantity: string }[]
  readonly quarantine: unknown[]
}

class Operator {
  readonly #cloud: CloudProcess
  readonly #headers: Record<string, string>
  constructor(cloud: CloudProcess, { folder }: Site) {
    this.#cloud = cloud
    const token = readFileSync(join(folder, 'data', 'operator.token'), 'utf8').trim()
    this.#headers = { Authorization: `Bearer ${token}` }
  }
  async #ask(what: string): Promise<Response> {
    return fetch(`${this.#cloud.http}/v1/operator/${what}?gateway=${GATEWAY}`, { headers: this.#headers })
  }
  async ledger(): Promise<LedgerDump> {
    return (await (await this.#ask('ledger')).json()) as LedgerDump
  }
  async verify(): Promise<{ ok: boolean; readings: number }> {
    return (await (await this.#ask('verify')).json()) as { ok: boolean; readings: number }
  }
  async values(): Promise<number[]> {
    const lines = (await (await this.#ask('readings')).text()).split('\n').filter((line) => line !== '')
    return lines.map((line) => (JSON.parse(line) as { value: number }).value).toSorted((a, b) => a - b)
  }
  /** Posted readings by organisation. */
  async posted(): Promise<Record<string, number>> {
    const { posted } = await this.ledger()
    const counted = posted.filter(({ meter }) => meter === 'sensor.readings')
    return Object.fromEntries(counted.map(({ org, quantity }) => [org, Number(quantity)]))
  }
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

/** The gateway's folder as a backup would have it. */
function copyOf(folder: string): { putBack: () => void } {
  const image = join(folder, 'image')
  cpSync(join(folder, 'gateway'), image, { recursive: true })
  return {
    putBack: () => {
      rmSync(join(folder, 'gateway'), { recursive: true })
      cpSync(image, join(folder, 'gateway'), { recursive: true })
    },
  }
}
