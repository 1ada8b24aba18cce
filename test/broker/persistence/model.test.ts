import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import { SqliteMessageStore } from '../../../broker/persistence/sqlite-store.ts'
import { ManualWriter } from './manual-writer.ts'
import { StoreModel } from './store-model.ts'
import { entry, listOf, message, storeFolder } from './support.ts'

const STEPS = 2_500
const CLIENTS = ['a', 'b', 'ab', 'ö']
const TOPICS = ['site', 'site/a', 'site/b', 'site/a/c', 'other', '$local/x', 'sité/a']
const FILTERS = ['#', '+', 'site/#', 'site/+', '+/a', 'site/a', '$local/#', 'sité/+']

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
function chance(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The store and the model beside it, changed alike. */
class Pair {
  readonly model = new StoreModel()
  readonly #folder = storeFolder()
  readonly #random: () => number
  #database: Database.Database
  #writer: ManualWriter
  store: SqliteMessageStore

  constructor(seed: number) {
    this.#random = chance(seed)
    ;[this.#database, this.#writer, this.store] = this.#open()
    this.store.load()
    onTestFinished(() => {
      this.#database.close()
    })
  }

  below(bound: number): number {
    return Math.floor(this.#random() * bound)
  }

  pick<T>(list: readonly [T, ...T[]] | readonly T[]): T {
    return list[this.below(list.length)] as T
  }

  commit(fails: boolean): void {
    this.#writer.commit({ fails })
    if (!fails) this.model.commit()
  }

  /** Ends as a kill does, or after a last commit, and begins again on the same file. */
  restart(kill: boolean): void {
    if (kill) this.model.crash()
    else this.commit(false)
    this.#database.close()
    ;[this.#database, this.#writer, this.store] = this.#open()
    const sessions = this.store.load()
    const expected = [...this.model.state.sessions].map(([clientId, session]) => ({
      clientId,
      principalId: session.principalId,
      filters: [...session.filters].map(([topic, qos]) => ({ topic, qos })).sort(byTopic),
      last: session.last,
      sent: session.sent,
      metered: 0,
      count: session.rows.size,
      bytes: [...session.rows.values()].reduce(
        (sum, row) => sum + row.topic.length + Buffer.byteLength(row.payload),
        0,
      ),
    }))
    expect(
      sessions.map((session) => ({ ...session, filters: [...session.filters].sort(byTopic) })).sort(byClient),
    ).toEqual(expected.sort(byClient))
    expect(this.store.figures.skippedRows).toBe(0)
  }

  /** Rows of the file that no queue, session or list leads to. */
  leaks(): unknown {
    return this.#database
      .prepare(
        `SELECT
          (SELECT count(*) FROM broker_message WHERE id NOT IN (SELECT message FROM broker_queue WHERE message IS NOT NULL)),
          (SELECT count(*) FROM broker_queue WHERE session NOT IN (SELECT no FROM broker_session)),
          (SELECT count(*) FROM broker_filter WHERE session NOT IN (SELECT no FROM broker_session)),
          (SELECT count(*) FROM broker_incoming WHERE session NOT IN (SELECT no FROM broker_session))`,
      )
      .raw()
      .get()
  }

  #open(): [Database.Database, ManualWriter, SqliteMessageStore] {
    const database = new Database(join(this.#folder, 'model.db'))
    database.pragma('journal_mode = WAL')
    database.pragma('synchronous = OFF')
    const writer = new ManualWriter(database)
    return [database, writer, new SqliteMessageStore({ database, writer })]
  }
}

const byTopic = (a: { topic: string }, b: { topic: string }): number => (a.topic < b.topic ? -1 : 1)
const byClient = (a: { clientId: string }, b: { clientId: string }): number =>
  a.clientId < b.clientId ? -1 : 1

/** Each changes the store and the model in the same way. */
const CHANGES: Record<string, (pair: Pair) => void> = {
  open(pair) {
    const clientId = pair.pick(CLIENTS)
    const principalId = pair.below(10) === 0 ? 'another' : 'owner'
    pair.store.openSession(clientId, principalId)
    pair.model.open(clientId, principalId)
  },
  drop(pair) {
    if (pair.below(8) > 0) return
    const clientId = pair.pick(CLIENTS)
    pair.store.dropSession(clientId)
    pair.model.state.sessions.delete(clientId)
  },
  subscribe(pair) {
    const clientId = pair.pick(CLIENTS)
    const filter = { topic: pair.pick(FILTERS), qos: pair.pick([0, 1, 2] as const) }
    pair.store.putSubscription(clientId, filter)
    pair.model.session(clientId)?.filters.set(filter.topic, filter.qos)
  },
  unsubscribe(pair) {
    const clientId = pair.pick(CLIENTS)
    const topic = pair.pick(FILTERS)
    pair.store.dropSubscription(clientId, topic)
    pair.model.session(clientId)?.filters.delete(topic)
  },
  enqueue(pair) {
    const topic = pair.pick(TOPICS)
    const payload = 'x'.repeat(pair.below(50) === 0 ? 20_000 : pair.below(20))
    const rows = CLIENTS.filter(() => pair.below(3) === 0).map((clientId) => {
      const seq = (pair.model.session(clientId)?.last ?? 0) + 1
      return { clientId, seq, qos: pair.pick([1, 2] as const) }
    })
    pair.store.enqueue(message(topic, payload), rows)
    for (const { clientId, seq, qos } of rows) {
      const session = pair.model.session(clientId)
      session?.rows.set(seq, { topic, payload, qos, released: false, committed: false })
      if (session !== undefined) session.last = seq
    }
  },
  acknowledge(pair) {
    const clientId = pair.pick(CLIENTS)
    const session = pair.model.session(clientId)
    const rows = [...(session?.rows.keys() ?? [])]
    const from = pair.below(Math.max(1, rows.length))
    for (const seq of rows.slice(from, from + 1 + pair.below(4))) {
      pair.store.acknowledge(clientId, seq)
      session?.rows.delete(seq)
    }
  },
  release(pair) {
    const clientId = pair.pick(CLIENTS)
    const found = pair.pick(pair.model.page(clientId)) as
      | { seq: number; row: { released: boolean } }
      | undefined
    if (found === undefined) return
    pair.store.release(clientId, found.seq)
    found.row.released = true
  },
  sent(pair) {
    const clientId = pair.pick(CLIENTS)
    const session = pair.model.session(clientId)
    if (session === undefined) return
    const seq = pair.below(session.last + 1)
    pair.store.noteSent(clientId, seq)
    session.sent = seq
  },
  shed(pair) {
    if (pair.below(4) > 0) return
    const clientId = pair.pick(CLIENTS)
    const keepUpTo = pair.below((pair.model.session(clientId)?.last ?? 0) + 1)
    const needed = { count: pair.below(5), bytes: pair.below(30) }
    expect(pair.store.shed(clientId, keepUpTo, needed)).toEqual(pair.model.shed(clientId, keepUpTo, needed))
  },
  retain(pair) {
    const topic = pair.pick(TOPICS)
    const payload = 'r'.repeat(pair.below(4))
    expect(pair.store.retain(message(topic, payload, { retain: true }))).toBe(true)
    if (payload === '') pair.model.state.retained.delete(topic)
    else pair.model.state.retained.set(topic, payload)
  },
  dropRetained(pair) {
    if (pair.below(8) > 0) return
    const which = pair.pick(TOPICS)
    expect(pair.store.dropRetained((topic) => topic === which)).toBe(
      pair.model.state.retained.delete(which) ? 1 : 0,
    )
  },
  hold(pair) {
    const clientId = pair.pick(CLIENTS)
    if (pair.model.session(clientId) === undefined) return
    const id = 1 + pair.below(5)
    pair.store.holdIncoming(clientId, id)
    pair.model.session(clientId)?.incoming.add(id)
  },
  releaseIncoming(pair) {
    const clientId = pair.pick(CLIENTS)
    const id = 1 + pair.below(5)
    pair.store.releaseIncoming(clientId, id)
    pair.model.session(clientId)?.incoming.delete(id)
  },
  will(pair) {
    const clientId = pair.pick(CLIENTS)
    const topic = pair.pick(TOPICS)
    if (pair.below(2) === 0) {
      pair.store.putWill(clientId, message(topic))
      pair.model.state.wills.set(clientId, topic)
    } else {
      pair.store.dropWill(clientId)
      pair.model.state.wills.delete(clientId)
    }
  },
  journal(pair) {
    const entries = Array.from({ length: 1 + pair.below(4) }, () =>
      entry(pair.pick(CLIENTS), 1 + pair.below(9), pair.pick(TOPICS), 'j'.repeat(pair.below(30))),
    )
    for (const each of entries) {
      pair.store.journal(each)
      const { topic, payload, clientId, messageId } = each
      const payloadText = payload.toString()
      pair.model.state.journal.push({ topic, payload: payloadText, clientId, messageId, routed: false })
      expect(pair.store.holdsPublish(each)).toBe(true)
    }
  },
  routed(pair) {
    if (pair.below(3) > 0) return
    pair.store.routed()
    for (const each of pair.model.state.journal.slice(0, pair.model.durableJournal)) each.routed = true
  },
}

function compare({ store, model }: Pair, clientId: string): void {
  const rows = store.page(clientId, 0, 10_000)
  // A page ends early where it is large; what it holds must be the beginning.
  const expected = model.page(clientId)
  expect(
    rows.map(({ seq, topic, payload, qos, released }) => ({
      seq,
      topic,
      payload: payload.toString(),
      qos,
      released,
    })),
  ).toEqual(
    expected
      .slice(0, rows.length)
      .map(({ seq, row: { topic, payload, qos, released } }) => ({ seq, topic, payload, qos, released })),
  )
  expect(rows.length === 0).toBe(expected.length === 0)
  for (const id of [1, 2, 3, 4, 5]) {
    expect(store.holdsIncoming(clientId, id)).toBe(model.session(clientId)?.incoming.has(id) ?? false)
  }
  expect(
    store
      .wills()
      .map(({ clientId: id, topic }) => [id, topic])
      .sort(),
  ).toEqual([...model.state.wills].sort())
}

async function compareCommitted(pair: Pair): Promise<void> {
  const { store, model } = pair
  const filters = FILTERS.filter(() => pair.below(2) === 0)
  const listed = await listOf(store.retained(filters))
  expect(listed.map(({ topic, payload }) => [topic, payload.toString()])).toEqual(model.retainedBy(filters))
  const { retained, sessions } = model.state
  expect(store.figures).toMatchObject({
    retainedTopics: retained.size,
    retainedBytes: [...retained.values()].reduce((sum, payload) => sum + payload.length, 0),
    queueRows: [...sessions.values()].reduce((sum, { rows }) => sum + rows.size, 0),
    waiting: 0,
  })
  const offered = [...store.unrouted()].map(({ topic, payload }) => `${topic} ${payload.toString()}`)
  const owed = model.state.journal
    .filter(({ routed }) => !routed)
    .map(({ topic, payload }) => `${topic} ${payload}`)
  expect(offered.slice(offered.length - owed.length)).toEqual(owed)
  expect(pair.leaks()).toEqual([0, 0, 0, 0])
}

test.for([1, 2, 3])(
  'thousands of random changes, failed commits and kills leave what a plain model has (seed %i)',
  async (seed) => {
    const pair = new Pair(seed)
    const changes = Object.values(CHANGES)
    for (let step = 0; step < STEPS; step += 1) {
      pair.pick(changes)(pair)
      compare(pair, pair.pick(CLIENTS))
      if (pair.below(12) === 0) {
        if (pair.below(4) === 0) pair.commit(true)
        else {
          pair.commit(false)
          await compareCommitted(pair)
        }
      }
      if (pair.below(150) === 0) {
        pair.restart(pair.below(2) === 0)
        for (const clientId of CLIENTS) compare(pair, clientId)
      }
    }
  },
)
