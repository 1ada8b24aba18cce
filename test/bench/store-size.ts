import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { StoredReading } from '../../cloud-sync/contract/index.ts'
import type { Bench } from '../support/harness.ts'
import { ownedReading, StoppedClock, testStore } from '../support/store.ts'
import { CHANNELS, workload } from '../support/workload.ts'

const READINGS = 1_000_000
const A_MINUTE = 60
/** Bars of the issue, bytes a reading after packing. */
const BARS = { 0: 3.0, 40: 3.5 } as const
/** Bytes to flash are measured on this many readings, one commit for each. */
const FLASH_COMMITS = 2000

export const bench: Bench = {
  what: 'Bytes of the store for each reading after packing, beside a naive table; bytes written to flash for each reading.',
  async run(progress) {
    const result: Record<string, unknown> = { readings: READINGS }
    for (const jitterMs of [0, 40] as const) {
      const packed = await inFolder((folder) => packedBytes(folder, jitterMs))
      const naive = await inFolder(async (folder) => naiveBytes(folder, jitterMs))
      progress(`jitter ${jitterMs} ms: ${packed / READINGS} bytes a reading, naive ${naive / READINGS}`)
      result[`jitter${jitterMs}`] = {
        storeBytesAReading: round(packed / READINGS),
        naiveBytesAReading: round(naive / READINGS),
        ratio: round(naive / packed),
        withinBar: packed / READINGS <= BARS[jitterMs],
      }
    }
    for (const a of [1, 20, 200]) {
      const bytes = await inFolder((folder) => flashBytes(folder, a))
      result[`flashBytesAReadingAt${a}ACommit`] = Math.round(bytes)
      progress(`${a} readings a commit: ${Math.round(bytes)} bytes to flash each`)
    }
    return result
  },
}

const round = (value: number): number => Math.round(value * 100) / 100

/** One commit a minute, packed hour by hour, everything in a batch and acknowledged: as a gateway with a link. */
async function packedBytes(folder: string, jitterMs: number): Promise<number> {
  const clock = new StoppedClock()
  const store = testStore(folder, { clock, windowMs: 60_000, limits: { bytes: 2 ** 40, days: 100_000 } })
  const flush = async (readings: readonly StoredReading[]): Promise<void> => {
    clock.wallMs = readings[0]?.takenAt ?? clock.wallMs
    await store.take(
      readings.map((reading) => owned(store, reading)),
      true,
    )
    store.published(Number.MAX_SAFE_INTEGER)
  }
  let minute: StoredReading[] = []
  let minutes = 0
  for (const reading of workload({ minutes: Math.ceil(READINGS / A_MINUTE), jitterMs })) {
    minute.push(reading)
    if (minute.length < A_MINUTE) continue
    await flush(minute)
    minute = []
    minutes += 1
    if (minutes % 60 === 0) await pack(store)
  }
  clock.wallMs += 3_600_000
  await pack(store)
  const left: unknown = store.database.prepare('SELECT count(*) FROM window').pluck().get()
  if (left !== 0) throw new Error(`${String(left)} windows are not packed`)
  store.database.pragma('wal_checkpoint(TRUNCATE)')
  const bytes = store.reader.size().fileBytes
  await store.stop()
  return bytes
}

async function pack(store: ReturnType<typeof testStore>): Promise<void> {
  store.upkeep()
  await store.writer.commitSoon()
  // An hour may take more than one run.
  store.upkeep()
  await store.writer.commitSoon()
}

function owned(store: ReturnType<typeof testStore>, reading: StoredReading): ReturnType<typeof ownedReading> {
  const kind = CHANNELS[(reading.channel - 1) % CHANNELS.length] ?? CHANNELS[0]
  const device = `piezometer-${String(Math.floor((reading.channel - 1) / CHANNELS.length) + 1)}`
  const { takenAt } = reading
  const value = typeof reading.value === 'number' ? reading.value : null
  return ownedReading(store, { device, channel: kind.name, value, takenAt })
}

/** What one would write first: a row a reading and an index by channel and time. */
function naiveBytes(folder: string, jitterMs: number): number {
  const database = new Database(join(folder, 'naive.db'))
  database.exec(`CREATE TABLE reading (id INTEGER PRIMARY KEY, channel INTEGER, taken_at INTEGER, value REAL, quality TEXT);
                 CREATE INDEX by_time ON reading (channel, taken_at)`)
  const insert = database.prepare(
    'INSERT INTO reading (channel, taken_at, value, quality) VALUES (?, ?, ?, ?)',
  )
  database.transaction(() => {
    for (const { channel, takenAt, value, quality } of workload({
      minutes: Math.ceil(READINGS / A_MINUTE),
      jitterMs,
    })) {
      insert.run(channel, takenAt, value, quality)
    }
  })()
  const bytes = Number(database.pragma('page_count', { simple: true })) * 4096
  database.close()
  return bytes
}

/** Bytes the kernel sent to the disk for this process, for each reading; fsync included, packing not. */
async function flashBytes(folder: string, readingsACommit: number): Promise<number> {
  const clock = new StoppedClock()
  const store = testStore(folder, { clock, windowMs: 60_000 })
  const source = workload({
    minutes: Math.ceil((FLASH_COMMITS * readingsACommit) / A_MINUTE) + 1,
    jitterMs: 40,
  })
  const before = writtenBytes()
  for (let commit = 0; commit < FLASH_COMMITS; commit += 1) {
    const part = Array.from({ length: readingsACommit }, () =>
      owned(store, source.next().value as StoredReading),
    )
    await store.take(part, true)
  }
  store.database.pragma('wal_checkpoint(TRUNCATE)')
  const bytes = writtenBytes() - before
  await store.stop()
  return bytes / (FLASH_COMMITS * readingsACommit)
}

function writtenBytes(): number {
  const line = /^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))
  return Number(line?.[1] ?? Number.NaN)
}

async function inFolder(run: (folder: string) => Promise<number>): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-bench-'))
  try {
    return await run(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
