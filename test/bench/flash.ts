import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import Database from 'better-sqlite3'
import type { StoredReading } from '../../cloud-sync/contract/index.ts'
import type { Bench } from '../support/harness.ts'
import { ownedReading, StoppedClock, testStore } from '../support/store.ts'
import { CHANNELS, workload } from '../support/workload.ts'

const COMMITS = 600
/** Until the log of the database has its size: a gateway does that once. */
const WARM_UP = 300
const SIZES = [1, 20, 100, 200] as const
/**
 * Bytes a reading at so many readings a commit, as the kernel counts them for the process: what the program can do
 * about it. The device gets more, e.g. the inode at every fsync, which differs from one file system to the next.
 */
const BARS: Readonly<Record<number, number>> = { 20: 700, 100: 150 }
const DISK_BYTES = 512 * 1024 * 1024
const SECTOR_BYTES = 512
/** Of the fields of /sys/block/DEVICE/stat: sectors written. */
const SECTORS_WRITTEN = 6

export const bench: Bench = {
  what: 'Bytes given to the storage for each reading, with its meters, beside a naive row a reading in the same run.',
  async run(progress) {
    const bare = await onDisk('^has_journal', progress)
    // What the file system writes besides is its own and differs from one to the next; it is told, without a bar.
    const journaled = await onDisk('has_journal', progress)
    return { ...bare, withFileSystemJournal: journaled }
  },
}

async function onDisk(journal: string, progress: (text: string) => void): Promise<Record<string, unknown>> {
  const place = disk(journal)
  try {
    return await measured(place, progress)
  } finally {
    place.remove()
  }
}

/** Where to write, and how many bytes its device was given since it is there; null where nobody counts that. */
interface Place {
  readonly by: string
  readonly folder: string
  readonly written: () => number | null
  readonly remove: () => void
}

async function measured(place: Place, progress: (text: string) => void): Promise<Record<string, unknown>> {
  const counters = { process: '/proc/self/io write_bytes', device: place.by }
  const result: Record<string, unknown> = { counters, commits: COMMITS }
  for (const size of SIZES) {
    const ours = await bytesEach(place, size, gatewayStore)
    const naive = await bytesEach(place, size, naiveTable)
    const bar = BARS[size]
    const judged = bar === undefined ? {} : { bar, withinBar: ours.byProcess <= bar }
    result[`at${String(size)}`] = { bytesAReading: ours, naive, ...judged }
    progress(`${String(size)} readings a commit: ${JSON.stringify({ ours, naive })}`)
  }
  return result
}

type Commit = (readings: readonly StoredReading[]) => Promise<void>
interface Table {
  readonly commit: Commit
  readonly close: () => Promise<void>
}

interface Bytes {
  readonly byProcess: number
  readonly byDevice: number | null
}

async function bytesEach(place: Place, size: number, open: (folder: string) => Table): Promise<Bytes> {
  const folder = mkdtempSync(join(place.folder, 'flash-'))
  const source = workload({ minutes: Math.ceil(((WARM_UP + COMMITS) * size) / 60) + 1, jitterMs: 40 })
  const { commit, close } = open(folder)
  const commits = async (count: number): Promise<void> => {
    for (let done = 0; done < count; done += 1)
      await commit(Array.from({ length: size }, () => source.next().value as StoredReading))
  }
  await commits(WARM_UP)
  const before = { process: ownWrites(), device: place.written() }
  await commits(COMMITS)
  const after = { process: ownWrites(), device: place.written() }
  await close()
  rmSync(folder, { recursive: true })
  const each = (bytes: number): number => Math.round(bytes / (COMMITS * size))
  return {
    byProcess: each(after.process - before.process),
    byDevice: before.device === null || after.device === null ? null : each(after.device - before.device),
  }
}

function gatewayStore(folder: string): Table {
  // The ballast is written once in a gateway's life, not with its readings.
  const limits = { bytes: 2 ** 30, days: 400, ballastBytes: 0 }
  const store = testStore(folder, { clock: new StoppedClock(), windowMs: 60_000, limits })
  return {
    commit: async (readings) => {
      const owned = readings.map(({ channel, value, takenAt }) => {
        const kind = CHANNELS[(channel - 1) % CHANNELS.length] ?? CHANNELS[0]
        const device = `piezometer-${String(Math.floor((channel - 1) / CHANNELS.length) + 1)}`
        return ownedReading(store, { device, channel: kind.name, value: Number(value), takenAt })
      })
      await store.take(owned, true)
    },
    close: async () => {
      await store.stop()
    },
  }
}

/** What one would write first: a row a reading, an index by channel and time, the same durability. */
function naiveTable(folder: string): Table {
  const database = new Database(join(folder, 'naive.db'))
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  database.exec(`CREATE TABLE reading (id INTEGER PRIMARY KEY, channel INTEGER, taken_at INTEGER, value REAL, quality TEXT);
                 CREATE INDEX by_time ON reading (channel, taken_at)`)
  const insert = database.prepare(
    'INSERT INTO reading (channel, taken_at, value, quality) VALUES (?, ?, ?, ?)',
  )
  const all = database.transaction((readings: readonly StoredReading[]) => {
    for (const { channel, takenAt, value, quality } of readings) insert.run(channel, takenAt, value, quality)
  })
  return {
    commit: (readings) => {
      all(readings)
      return Promise.resolve()
    },
    close: () => {
      database.close()
      return Promise.resolve()
    },
  }
}

/** A loop device of our own with ext4, where we may make one: it counts everything, the file system's journal too. */
function disk(journal: string): Place {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-flash-'))
  const clean = (): void => {
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    return loopDisk(folder, journal, clean)
  } catch {
    // Not root, or no loop devices here.
    return { by: 'nobody', folder, written: () => null, remove: clean }
  }
}

function loopDisk(folder: string, journal: string, clean: () => void): Place {
  const [image, mount] = [join(folder, 'disk.img'), join(folder, 'mount')]
  const run = (command: string, ...args: string[]): string =>
    execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  writeFileSync(image, '')
  truncateSync(image, DISK_BYTES)
  // Nothing is written later that the file system could have written now.
  run('mkfs.ext4', '-q', '-O', journal, '-E', 'lazy_itable_init=0,lazy_journal_init=0', image)
  run('mkdir', mount)
  const device = run('losetup', '-f', '--show', image)
  try {
    run('mount', device, mount)
  } catch (error) {
    run('losetup', '-d', device)
    throw error
  }
  const stat = `/sys/block/${basename(device)}/stat`
  return {
    by: `${stat}, ext4 with -O ${journal}`,
    folder: mount,
    written() {
      run('sync', '-f', mount)
      const sectors = readFileSync(stat, 'utf8').trim().split(/\s+/)[SECTORS_WRITTEN]
      return Number(sectors) * SECTOR_BYTES
    },
    remove() {
      run('umount', mount)
      run('losetup', '-d', device)
      clean()
    },
  }
}

function ownWrites(): number {
  const line = /^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))
  return Number(line?.[1] ?? Number.NaN)
}
