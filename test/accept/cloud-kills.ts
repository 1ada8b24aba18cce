import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openKeys } from '../../cloud-sync/cloud/keys/index.ts'
import type { Stream } from '../../cloud-sync/contract/index.ts'
import { writeDirectory } from '../support/cloud-fixture.ts'
import {
  type CloudProcess,
  linkGateway,
  type LinkedGateway,
  spawnCloud,
  writeConfig,
} from '../support/cloud-process.ts'
import {
  epochOf,
  type FakeGateway,
  fakeGateway,
  readingChain,
  statusOf,
  usageBody,
  usageChain,
} from '../support/fake-gateway.ts'
import { freePort } from '../support/free-port.ts'
import { type Harness, type HarnessContext, type Outcome, scaled } from '../support/harness.ts'

const KILLS = 100
const GATEWAYS = 3
/** Batches of each stream a gateway has ready for one life of the cloud. */
const BATCHES_A_LIFE = 30
const READINGS_A_BATCH = 5
/** A gateway's window of batches without an acknowledgement. */
const WINDOW = 8
/** The longest life of a cloud, ms; short enough to be killed in the middle of its work. */
const LIFE_MS_MAX = 400
const DRAIN_MS = 60_000
const EPOCH = epochOf('a')

/** One stream of one gateway: everything it will ever send, and how much the ledger has confirmed. */
interface Lane {
  readonly gateway: FakeGateway
  readonly stream: Stream
  readonly messages: readonly { message: Uint8Array; hash: string }[]
  acknowledged: number
  sent: number
}

export const harness: Harness = {
  what: 'A cloud killed at random moments while gateways upload has, in the end, every batch exactly once.',
  async run(context) {
    const cleanUps: (() => Promise<void> | void)[] = []
    const folder = mkdtempSync(join(tmpdir(), 'headgate-kills-'))
    cleanUps.push(() => {
      rmSync(folder, { recursive: true, force: true })
    })
    try {
      return await killed(folder, context, (cleanUp) => cleanUps.push(cleanUp))
    } finally {
      for (const cleanUp of cleanUps.reverse()) await cleanUp()
    }
  },
}

async function killed(
  folder: string,
  context: HarnessContext,
  defer: (cleanUp: () => Promise<void> | void) => void,
): Promise<Outcome> {
  const kills = scaled(KILLS, context.scale, 2)
  const keys = openKeys(join(folder, 'data'))
  const gateways = Array.from({ length: GATEWAYS }, (_, n) => fakeGateway(`GW-${n}`, keys.cloudId))
  // The same address in every life, as a gateway expects it.
  const config = writeConfig(folder, writeDirectory(folder, gateways), await freePort())
  const lanes = gateways.flatMap((gateway) => lanesOf(gateway, kills * BATCHES_A_LIFE))
  const random = seeded(20_261_121)
  const signer = keys.signing.publicKey
  for (let kill = 0; kill < kills; kill += 1) {
    const cloud = await spawnCloud(config, defer)
    const links = await Promise.all(
      gateways.map((gateway) => upload(gateway, lanes, { cloud, signer, defer })),
    )
    await sleep(random() * LIFE_MS_MAX)
    await cloud.end('SIGKILL')
    for (const link of links) await link.end()
    context.progress(
      `kill ${kill + 1} of ${kills}: ${sum(lanes.map((lane) => lane.acknowledged))} batches confirmed`,
    )
  }
  const cloud = await spawnCloud(config, defer)
  for (const gateway of gateways) await upload(gateway, lanes, { cloud, signer, defer })
  const isDone = (): boolean => lanes.every((lane) => lane.acknowledged === lane.messages.length)
  for (let waited = 0; !isDone() && waited < DRAIN_MS; waited += 50) await sleep(50)
  const outcome = await reckon(cloud, lanes, { kills, folder })
  await cloud.end('SIGTERM')
  return outcome
}

function lanesOf(gateway: FakeGateway, count: number): Lane[] {
  const usage = usageChain({ gateway: gateway.id, epoch: EPOCH, count }).map((record) => ({
    message: gateway.sign('usage', usageBody([record])),
    hash: record.hash,
  }))
  const rd = readingChain({ gateway: gateway.id, epoch: EPOCH, count, each: READINGS_A_BATCH }).map(
    ({ body, hash }) => ({ message: gateway.sign('rd', body), hash }),
  )
  const idle = { gateway, acknowledged: 0, sent: 0 }
  return [
    { ...idle, stream: 'usage', messages: usage },
    { ...idle, stream: 'rd', messages: rd },
  ]
}

/** Announces, then keeps a window of each lane on its way, as a gateway does. */
async function upload(
  gateway: FakeGateway,
  all: readonly Lane[],
  { cloud, signer, defer }: { cloud: CloudProcess; signer: string; defer: Parameters<typeof spawnCloud>[1] },
): Promise<LinkedGateway> {
  const lanes = all.filter((lane) => lane.gateway === gateway)
  const link = await linkGateway(gateway, { mqtt: cloud.mqtt, signer, defer })
  const pump = (lane: Lane): void => {
    while (lane.sent < Math.min(lane.messages.length, lane.acknowledged + WINDOW)) {
      const next = lane.messages[lane.sent]
      lane.sent += 1
      // A cloud that is killed takes nothing: what it has not confirmed is sent again in its next life.
      if (next !== undefined) link.publish(lane.stream, next.message).catch(() => undefined)
    }
  }
  link.onAck((stream, ack) => {
    const lane = lanes.find((candidate) => candidate.stream === stream)
    if (lane === undefined) return
    if (ack.status !== 'ok' && ack.status !== 'gap') throw new Error(`${stream}: ${ack.status}`)
    if (ack.upTo > 0 && lane.messages[ack.upTo - 1]?.hash !== ack.hash)
      throw new Error(`${stream}: another hash`)
    lane.acknowledged = Math.max(lane.acknowledged, ack.upTo)
    if (ack.status === 'gap') lane.sent = lane.acknowledged
    pump(lane)
  })
  for (const lane of lanes) lane.sent = lane.acknowledged
  const status = statusOf({ usage: { epoch: EPOCH, parent: null }, rd: { epoch: EPOCH, parent: null } })
  await link.publish('status', Buffer.from(JSON.stringify(status))).catch(() => undefined)
  return link
}

async function reckon(
  cloud: CloudProcess,
  lanes: readonly Lane[],
  { kills, folder }: { kills: number; folder: string },
): Promise<Outcome> {
  const token = readFileSync(join(folder, 'data', 'operator.token'), 'utf8').trim()
  const headers = { Authorization: `Bearer ${token}` }
  const ask = (path: string): Promise<Response> => fetch(`${cloud.http}/v1/operator/${path}`, { headers })
  const failures: string[] = []
  let readings = 0
  for (const lane of lanes) {
    const { gateway, stream, messages, acknowledged } = lane
    if (acknowledged !== messages.length) {
      failures.push(`${gateway.id} ${stream}: ${acknowledged} of ${messages.length} confirmed`)
    }
  }
  for (const gateway of new Set(lanes.map((lane) => lane.gateway))) {
    const batches = sum(
      lanes.filter((l) => l.gateway === gateway && l.stream === 'rd').map((l) => l.messages.length),
    )
    const verified = (await (await ask(`verify?gateway=${gateway.id}`)).json()) as {
      ok: boolean
      records: number
    }
    if (!verified.ok || verified.records !== batches)
      failures.push(`${gateway.id}: ${JSON.stringify(verified)}`)
    const lines = (await (await ask(`readings?gateway=${gateway.id}`)).text()).trim().split('\n')
    const times = lines.map((line) => (JSON.parse(line) as { takenAt: number }).takenAt)
    readings += times.length
    const lost = batches * READINGS_A_BATCH - new Set(times).size
    const doubled = times.length - new Set(times).size
    if (lost !== 0 || doubled !== 0) failures.push(`${gateway.id}: ${lost} readings lost, ${doubled} doubled`)
  }
  const batches = sum(lanes.map((lane) => lane.messages.length))
  return { figures: { kills, gateways: GATEWAYS, batches, readings }, failures }
}

/** Mulberry32: the same kills every time. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
