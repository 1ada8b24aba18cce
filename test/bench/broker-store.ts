import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StoredMessage } from '../../broker/persistence/message-store.ts'
import { type OpenedBrokerStorage, openBrokerStorage } from '../../broker/persistence/open.ts'
import { SqliteMessageStore } from '../../broker/persistence/sqlite-store.ts'
import type { Bench } from '../support/harness.ts'

const MESSAGES = 60_000
const PAYLOAD = Buffer.alloc(100, 'x')
const SUBSCRIBERS = 4
/** Messages that share one commit: what a busy broker sees, and what a calm one does. */
const SIZES = [512, 64, 8]

interface Cost {
  readonly perSecond: number
  /** Microseconds of CPU (user and system) a message, fsync included. */
  readonly cpuMicros: number
}

type Work = (storage: OpenedBrokerStorage, size: number) => Promise<void>

export const bench: Bench = {
  what: 'What storing a message before its PUBACK costs, beside plain inserts of one row in transactions of the same size.',
  async run(progress) {
    const figures: Record<string, unknown> = {}
    for (const size of SIZES) {
      progress(`${size} messages a commit`)
      const raw = await measure(rawInserts, size)
      const journal = await measure(journalled, size)
      const queued = await measure((storage, each) => queuedFor(storage, each, 1), size)
      const shared = await measure((storage, each) => queuedFor(storage, each, SUBSCRIBERS), size)
      figures[`commitsOf${size}`] = {
        rawInsert: raw,
        journalled: journal,
        queuedAndAcknowledged: queued,
        queuedForFour: shared,
        journalledToRaw: ratio(journal, raw),
        queuedToRaw: ratio(queued, raw),
        queuedForFourToRaw: ratio(shared, raw),
      }
    }
    return figures
  },
}

async function measure(work: Work, size: number): Promise<Cost> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-broker-bench-'))
  const storage = openBrokerStorage(folder, {
    onDamage: (error) => {
      throw error
    },
  })
  try {
    await work(storage, size)
    const cpu = process.cpuUsage()
    const start = performance.now()
    await work(storage, size)
    const seconds = (performance.now() - start) / 1000
    const { user, system } = process.cpuUsage(cpu)
    return { perSecond: Math.round(MESSAGES / seconds), cpuMicros: rounded((user + system) / MESSAGES) }
  } finally {
    storage.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** One table, one prepared statement, one row a message. */
function rawInserts({ database }: OpenedBrokerStorage, size: number): Promise<void> {
  database.exec('CREATE TABLE IF NOT EXISTS raw (id INTEGER PRIMARY KEY, topic TEXT, payload BLOB)')
  const insert = database.prepare('INSERT INTO raw (topic, payload) VALUES (?, ?)')
  const commit = database.transaction((from: number) => {
    for (let at = 0; at < size; at += 1) insert.run(topicOf(from + at), PAYLOAD)
  })
  for (let from = 0; from < MESSAGES; from += size) commit.immediate(from)
  return Promise.resolve()
}

async function journalled(storage: OpenedBrokerStorage, size: number): Promise<void> {
  const { store } = openedStore(storage)
  for (let from = 0; from < MESSAGES; from += size) {
    for (let at = 0; at < size; at += 1) journal(store, from + at)
    await store.committed()
    store.routed()
  }
}

/** As a broker does: a queue row of each subscriber in the publisher's commit, acknowledged in a later one. */
async function queuedFor(storage: OpenedBrokerStorage, size: number, subscribers: number): Promise<void> {
  const opened = openedStore(storage)
  const { store } = opened
  const clientIds = Array.from({ length: subscribers }, (_, at) => `reader-${at}`)
  for (const clientId of clientIds) store.openSession(clientId, 'owner')
  for (let from = 0; from < MESSAGES; from += size) {
    for (let at = 0; at < size; at += 1) {
      opened.last += 1
      const seq = opened.last
      const message = journal(store, from + at)
      store.enqueue(
        message,
        clientIds.map((clientId) => ({ clientId, seq, qos: 1 as const })),
      )
    }
    await store.committed()
    store.routed()
    for (const clientId of clientIds) {
      for (const { seq } of store.page(clientId, opened.last - size, size)) store.acknowledge(clientId, seq)
    }
  }
  await store.committed()
}

function journal(store: SqliteMessageStore, number: number): StoredMessage {
  const clientId = `meter-${(number >> 4) % 10}`
  const message: StoredMessage = { topic: topicOf(number), payload: PAYLOAD, qos: 1, retain: false }
  store.journal({ ...message, clientId, principalId: 'owner', messageId: (number % 65_535) + 1 })
  return message
}

/** The store of a database, and the highest queue number given in it. */
interface Opened {
  readonly store: SqliteMessageStore
  last: number
}

const stores = new WeakMap<OpenedBrokerStorage, Opened>()

function openedStore(storage: OpenedBrokerStorage): Opened {
  let opened = stores.get(storage)
  if (opened === undefined) {
    stores.set(storage, (opened = { store: new SqliteMessageStore(storage), last: 0 }))
    opened.store.load()
  }
  return opened
}

const topicOf = (number: number): string => `site/meter-${(number >> 4) % 10}/reading`

const ratio = (a: Cost, b: Cost): number => rounded(a.cpuMicros / b.cpuMicros)

const rounded = (value: number): number => Math.round(value * 100) / 100
