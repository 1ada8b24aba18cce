import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openIncoming } from '../../cloud-sync/cloud/ingest/open.ts'
import { createWorker } from '../../cloud-sync/cloud/ingest/worker.ts'
import { openLedger } from '../../cloud-sync/cloud/storage/index.ts'
import { encodeReadingBatch, sha256, shardOf } from '../../cloud-sync/codec/index.ts'
import { type Stream, type StoredReading, upTopic, ZERO_HASH } from '../../cloud-sync/contract/index.ts'
import {
  channelDef,
  epochOf,
  type FakeGateway,
  fakeGateway,
  usageBody,
  usageChain,
} from '../support/fake-gateway.ts'
import type { Bench } from '../support/harness.ts'

const GATEWAYS = 20
const CLOUD_ID = '0123456789abcdef'
const EPOCH = epochOf('a')
const USAGE_MESSAGES = 60
const RECORDS_A_MESSAGE = 24
const READING_MESSAGES = 30
const READINGS_A_MESSAGE = 1_000

interface Message {
  readonly topic: string
  readonly payload: Uint8Array
}

export const bench: Bench = {
  what: 'Messages of many gateways verified, posted and committed with fsync: together, and one commit each.',
  async run(progress) {
    const gateways = Array.from({ length: GATEWAYS }, (_, n) => fakeGateway(`GW-${n}`, CLOUD_ID))
    const usage = interleaved(gateways.map(usageMessages))
    const readings = interleaved(gateways.map(readingMessages))
    progress('posting usage')
    const usageTogether = await posted(gateways, usage, true)
    const usageEach = await posted(gateways, usage, false)
    progress('posting readings')
    const readingsTogether = await posted(gateways, readings, true)
    const perSecond = (count: number, seconds: number): number => Math.round(count / seconds)
    return {
      gateways: GATEWAYS,
      recordsPerSecond: perSecond(usage.length * RECORDS_A_MESSAGE, usageTogether.seconds),
      recordsPerSecondOneCommitEach: perSecond(usage.length * RECORDS_A_MESSAGE, usageEach.seconds),
      togetherOverEach: usageEach.seconds / usageTogether.seconds,
      messagesACommit: usage.length / usageTogether.commits,
      readingsPerSecond: perSecond(readings.length * READINGS_A_MESSAGE, readingsTogether.seconds),
    }
  },
}

async function posted(
  gateways: readonly FakeGateway[],
  messages: readonly Message[],
  together: boolean,
): Promise<{ seconds: number; commits: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-bench-'))
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const db = await openLedger({ dialect: 'sqlite', path: join(folder, 'cloud.db') })
  try {
    const worker = createWorker({
      db,
      now: Date.now,
      monoMs: () => performance.now(),
      log,
      committed: () => undefined,
    })
    const keys = new Map(gateways.map((gateway) => [gateway.id, gateway.key.publicKey]))
    const started = process.hrtime.bigint()
    for (const { topic, payload } of messages) {
      const opened = openIncoming({ cloudId: CLOUD_ID, publicKeyOf: (id) => keys.get(id) }, topic, payload)
      if (!opened.ok || !worker.offer(opened.incoming)) throw new Error('refused')
      if (!together) await worker.idle()
    }
    await worker.idle()
    const seconds = Number(process.hrtime.bigint() - started) / 1e9
    return { seconds, commits: worker.counts.commits }
  } finally {
    await db.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

function usageMessages(gateway: FakeGateway): Message[] {
  const records = usageChain({ gateway: gateway.id, epoch: EPOCH, count: USAGE_MESSAGES * RECORDS_A_MESSAGE })
  return Array.from({ length: USAGE_MESSAGES }, (_, n) => {
    const part = records.slice(n * RECORDS_A_MESSAGE, (n + 1) * RECORDS_A_MESSAGE)
    return message(gateway, 'usage', usageBody(part))
  })
}

/** Twenty channels in turn, values on a grid of 0.01. */
function readingMessages(gateway: FakeGateway): Message[] {
  const defs = Array.from({ length: 20 }, (_, n) => channelDef(n + 1, `tilt-${n}`, 'acme'))
  let prev = ZERO_HASH
  return Array.from({ length: READING_MESSAGES }, (_, seq) => {
    const readings = Array.from({ length: READINGS_A_MESSAGE }, (_, index): StoredReading => {
      const n = seq * READINGS_A_MESSAGE + index
      return {
        channel: 1 + (n % 20),
        takenAt: n * 500,
        value: Math.round(1000 * Math.sin(n / 700)) / 100,
        quality: 'good',
        reason: null,
      }
    })
    const batch = {
      v: 1,
      gw: gateway.id,
      epoch: EPOCH,
      seq: seq + 1,
      prev,
      defs: seq === 0 ? defs : [],
      readings,
    } as const
    const body = encodeReadingBatch(batch, () => ({ step: 1, digits: 2 }))
    prev = sha256(body)
    return message(gateway, 'rd', body)
  })
}

const message = (gateway: FakeGateway, stream: Stream, body: Uint8Array): Message => ({
  topic: upTopic(shardOf(gateway.id), gateway.id, stream),
  payload: gateway.sign(stream, body),
})

/** One message of each gateway in turn. */
const interleaved = (lists: readonly Message[][]): Message[] =>
  (lists[0] ?? []).flatMap((_, index) => lists.flatMap((list) => list.slice(index, index + 1)))
