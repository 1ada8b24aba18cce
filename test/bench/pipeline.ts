import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Pipeline } from '../../agent/pipeline.ts'
import type { Reading } from '../../hardware/index.ts'
import type { Bench } from '../support/harness.ts'
import { ACME, hastyClock, testStore } from '../support/store.ts'
import { CHANNELS, workload } from '../support/workload.ts'

const READINGS = 300_000
/** As the hardware process hands them over under load. */
const BATCH = 1000
/** Batches under way at once: the next is decoded while one is committed. */
const UNDER_WAY = 10

export const bench: Bench = {
  what: 'Readings a second from hardware to committed store and meter, beside the same rows inserted by better-sqlite3 alone.',
  async run(progress) {
    const readings = taken()
    const pipeline = await inFolder((folder) => throughPipeline(folder, readings))
    progress(`pipeline ${pipeline.perSecond}`)
    const raw = await inFolder(async (folder) => throughInserts(folder, readings))
    progress(`raw inserts ${raw.perSecond}`)
    return {
      readings: READINGS,
      batch: BATCH,
      pipelinePerSecond: pipeline.perSecond,
      rawInsertsPerSecond: raw.perSecond,
      ratio: round(pipeline.perSecond / raw.perSecond),
      pipelineBytesAReading: round(pipeline.bytes / READINGS),
      rawBytesAReading: round(raw.bytes / READINGS),
      atLeast50000: pipeline.perSecond >= 50_000,
    }
  },
}

interface Result {
  readonly perSecond: number
  readonly bytes: number
}

const round = (value: number): number => Math.round(value * 100) / 100

function taken(): Reading[] {
  const minutes = READINGS / (CHANNELS.length * 20)
  return [...workload({ minutes, jitterMs: 40 })].map(({ channel, takenAt, value }) => {
    const kind = CHANNELS[(channel - 1) % CHANNELS.length] ?? CHANNELS[0]
    const device = `piezometer-${String(Math.floor((channel - 1) / CHANNELS.length) + 1)}`
    const fixed = { sensor: 'main', quality: 'good', reason: null, derived: false, alarm: false } as const
    return {
      device,
      channel: kind.name,
      unit: kind.unit,
      takenAt,
      value,
      ...fixed,
      calibration: 1,
      payloadBytes: 4,
    }
  })
}

async function throughPipeline(folder: string, readings: readonly Reading[]): Promise<Result> {
  const store = testStore(folder, { clockFrom: hastyClock, windowMs: 1000 })
  const pipeline = new Pipeline({
    store,
    organisation: ACME,
    proposed: new Map(),
    resolutionOf: () => ({ step: 1, digits: 2 }),
    publish: async () => undefined,
    onPublishFailed: (error) => {
      throw error
    },
  })
  await pipeline.start()
  const started = performance.now()
  for (let start = 0; start < readings.length; start += BATCH * UNDER_WAY) {
    const parts = Array.from({ length: UNDER_WAY }, (_, n) =>
      readings.slice(start + n * BATCH, start + (n + 1) * BATCH),
    )
    await Promise.all(parts.map((part) => pipeline.take(part)))
  }
  const seconds = (performance.now() - started) / 1000
  const counted = store.reader.usage().filter(({ meter }) => meter === 'sensor.readings')
  const metered = counted.reduce((sum, { end }) => sum + end, 0n)
  if (metered !== BigInt(readings.length)) throw new Error(`${metered} metered`)
  const bytes = store.reader.size().fileBytes
  await pipeline.stop()
  await store.stop()
  return { perSecond: Math.round(readings.length / seconds), bytes }
}

/** The same durability and grouping; a row a reading, and nothing else: no owner, no meter, no index but the key. */
function throughInserts(folder: string, readings: readonly Reading[]): Result {
  const database = new Database(join(folder, 'raw.db'))
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  database.exec(
    'CREATE TABLE reading (device TEXT, channel TEXT, taken_at INTEGER, value REAL, quality TEXT)',
  )
  const insert = database.prepare('INSERT INTO reading VALUES (?, ?, ?, ?, ?)')
  const commit = database.transaction((part: readonly Reading[]) => {
    for (const { device, channel, takenAt, value, quality } of part)
      insert.run(device, channel, takenAt, value, quality)
  })
  const started = performance.now()
  const size = BATCH * UNDER_WAY
  for (let start = 0; start < readings.length; start += size) commit(readings.slice(start, start + size))
  const seconds = (performance.now() - started) / 1000
  const bytes = Number(database.pragma('page_count', { simple: true })) * 4096
  database.close()
  return { perSecond: Math.round(readings.length / seconds), bytes }
}

async function inFolder(run: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-bench-'))
  try {
    return await run(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
