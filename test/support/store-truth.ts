import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { decodeReadingBatch, decodeRecord, sha256, verifyChain } from '../../cloud-sync/codec/index.ts'
import { type Hash, type SealedRecord, type Value, ZERO_HASH } from '../../cloud-sync/contract/index.ts'
import { type DropCounters, openStore, type Store } from '../../agent/storage/index.ts'
import { ACME, GATEWAY, hastyClock } from './store.ts'

const VALUES_A_START = 1_000_000
const COMMITS_WITHIN_MS = 30_000
const CHILD = join(import.meta.dirname, 'store-child.ts')

/** What the killed processes said, outside of what is tested. */
export class StoreTruth {
  /** Ranges of values that were said to be committed. */
  readonly committed: [first: number, last: number][] = []
  /** Hash by `stream epoch first` of every batch that was handed out. */
  readonly batches = new Map<string, string>()
  /** Highest confirmed number by `stream epoch`, where the confirmation may have been stored. */
  readonly confirmed = new Map<string, number>()
  refusals = 0
  /** Processes started; each has values of its own, because one that was killed may have stored more than it said. */
  starts = 0

  hear(line: string): void {
    const [what, ...rest] = line.split(' ')
    if (what === 'R') {
      const [first, last] = [Number(rest[0]), Number(rest[1])]
      this.committed.push([first, last])
    } else if (what === 'B') this.batches.set(rest.slice(0, 3).join(' '), rest[3] ?? '')
    else if (what === 'A') this.confirmed.set(rest.slice(0, 2).join(' '), Number(rest[2]))
    else if (what === 'refused') this.refusals += 1
    else if (what === 'damage') throw new Error(line)
  }
}

/** Waits until so many more batches of readings were committed: a loaded machine takes its time. */
export async function committedSome(truth: StoreTruth, more: number): Promise<void> {
  const wanted = truth.committed.length + more
  const deadline = performance.now() + COMMITS_WITHIN_MS
  while (truth.committed.length < wanted) {
    if (performance.now() > deadline) throw new Error('the storing process commits nothing')
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

export interface StoreChild {
  readonly process: ChildProcess
  /** Resolves when it has ended and everything it said was heard. */
  readonly ended: Promise<void>
}

/** Starts the storing process; resolves once its store is open. */
export async function startStore(
  folder: string,
  truth: StoreTruth,
  args: readonly string[] = [],
): Promise<StoreChild> {
  truth.starts += 1
  const from = String(truth.starts * VALUES_A_START)
  const child = spawn(process.execPath, [CHILD, '--folder', folder, '--from', from, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    truth.hear(line)
  })
  const ended = Promise.all([once(child, 'exit'), once(lines, 'close')]).then(() => undefined)
  const opened = new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      if (line === 'open') resolve()
    })
    void ended.then(() => {
      reject(new Error('the storing process ended before it was open'))
    })
  })
  await opened
  return { process: child, ended }
}

export interface Verdict {
  readonly readings: number
  readonly records: number
  /** Values said to be committed that are not there. */
  readonly lost: number
  /** Values that are there more than once. */
  readonly doubled: number
  /** Dropped by declaration: in the cloud already, and by owner what was not. */
  readonly dropped: DropCounters
  readonly faults: readonly string[]
}

/** Opens the store as the next start would and compares it with what was said. */
export async function judge(folder: string, truth: StoreTruth): Promise<Verdict> {
  const store = openStore({
    folder,
    gateway: GATEWAY,
    clockFrom: hastyClock,
    trust: null,
    cloudConfigured: true,
    organisation: ACME,
    sw: '0.1.0',
    cfg: 'test',
    liveDelayMs: 0,
    onDamage: (error) => {
      throw error
    },
  })
  try {
    return inspect(store, truth)
  } finally {
    await store.stop()
  }
}

function inspect(store: Store, truth: StoreTruth): Verdict {
  const faults: string[] = []
  const integrity: unknown = store.database.pragma('integrity_check', { simple: true })
  if (integrity !== 'ok') faults.push(`integrity_check: ${String(integrity)}`)
  const seen = new Map<number, number>()
  const perDevice = new Map<string, bigint>()
  const channels = store.reader.channels()
  for (const def of channels) {
    for (const { value } of allOf(store, def.no)) {
      const n = numberOf(value)
      seen.set(n, (seen.get(n) ?? 0) + 1)
      perDevice.set(def.device, (perDevice.get(def.device) ?? 0n) + 1n)
    }
  }
  let lost = 0
  for (const [first, last] of truth.committed) {
    for (let value = first; value <= last; value += 1) if (!seen.has(value)) lost += 1
  }
  const doubled = [...seen.values()].filter((count) => count > 1).length
  faults.push(...countedRight(store, perDevice), ...batchesKept(store, truth), ...batchedOnce(store))
  const records = chainOf(store, faults)
  const readings = [...seen.values()].reduce((sum, count) => sum + count, 0)
  return { readings, records, lost, doubled, dropped: store.reader.dropped(), faults }
}

/** Values are numbered; noise is only in the fraction. */
const numberOf = (value: Value): number => Math.trunc(Number(value))

function allOf(store: Store, channel: number): ReturnType<Store['reader']['readings']> {
  return store.reader.readings({ channels: [channel], from: 0, to: Number.MAX_SAFE_INTEGER })
}

/** I1: readings stored for a sensor = its register, plus what was dropped by declaration. */
function countedRight(store: Store, perDevice: ReadonlyMap<string, bigint>): string[] {
  const { expired, lost } = store.reader.dropped()
  if (expired > 0 || Object.keys(lost).length > 0) {
    const dropped = BigInt(expired + Object.values(lost).reduce((sum, count) => sum + count, 0))
    const stored = [...perDevice.values()].reduce((sum, count) => sum + count, 0n)
    const counted = registers(store).reduce((sum, register) => sum + register.end, 0n)
    return stored + dropped === counted ? [] : [`${stored} stored + ${dropped} dropped, ${counted} counted`]
  }
  return registers(store).flatMap(({ subject, end }) => {
    const device = subject.slice('sensor:'.length).split('/')[0] ?? ''
    const stored = perDevice.get(device) ?? 0n
    return stored === end ? [] : [`${device}: ${stored} stored, ${end} counted`]
  })
}

const registers = (store: Store): { subject: string; end: bigint }[] =>
  store.reader.usage().filter(({ meter }) => meter === 'sensor.readings')

/** A batch that was handed out is there, byte for byte, unless it was confirmed. */
function batchesKept(store: Store, truth: StoreTruth): string[] {
  const hashOf = store.database
    .prepare('SELECT hash FROM outbox WHERE stream = ? AND first = ? AND epoch = ?')
    .pluck()
  return [...truth.batches].flatMap(([key, hash]) => {
    const [stream = '', epoch = '', first = ''] = key.split(' ')
    if (Number(first) <= (truth.confirmed.get(`${stream} ${epoch}`) ?? 0)) return []
    const kept: unknown = hashOf.get(stream, Number(first), epoch)
    return kept === hash ? [] : [`batch ${key} is ${String(kept)}`]
  })
}

/** No reading is in two of the batches that are stored now. */
function batchedOnce(store: Store): string[] {
  const seen = new Set<number>()
  const bodies = store.database
    .prepare(`SELECT body FROM outbox WHERE stream IN ('rd', 'rd/h')`)
    .pluck()
    .all() as Uint8Array[]
  for (const { value } of bodies.flatMap((body) => decodeReadingBatch(body).readings)) {
    const n = numberOf(value)
    if (seen.has(n)) return [`${n} is in two batches`]
    seen.add(n)
  }
  return []
}

/** I2-I4: numbers without a gap, hashes that follow, registers that never fall. */
function chainOf(store: Store, faults: string[]): number {
  const rows = store.database.prepare('SELECT bytes, hash FROM usage_record ORDER BY epoch, seq').all() as {
    bytes: Uint8Array
    hash: Hash
  }[]
  const records: SealedRecord[] = rows.map(({ bytes, hash }) => ({
    record: decodeRecord(bytes),
    bytes,
    hash,
  }))
  const chain = verifyChain(records, ZERO_HASH)
  if (!chain.ok) faults.push(`the chain breaks at ${chain.seq}: ${chain.because}`)
  if (records.some(({ bytes, hash }) => sha256(bytes) !== hash))
    faults.push('a record does not match its hash')
  const ends = new Map<string, bigint>()
  for (const row of records.flatMap(({ record }) => record.registers)) {
    const key = `${row.meter} ${row.subject} ${row.gen}`
    if (row.end < (ends.get(key) ?? 0n)) faults.push(`${key} fell`)
    ends.set(key, row.end)
  }
  return records.length
}
