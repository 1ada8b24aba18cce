import { setImmediate } from 'node:timers/promises'
import type { Database, Statement } from 'better-sqlite3'
import { FilterIndex } from '../delivery/filter-index.ts'
import type { Changes } from './changes.ts'
import type { StoredMessage } from './message-store.ts'
import { isBytes, isCount, isQos, isText, isTextOrNull } from './soundness.ts'
import { directlyAfter, EVERY_TOPIC, type TopicRange, topicRanges } from './topic-ranges.ts'

export interface RetainedLimits {
  readonly topics: number
  /** Payload bytes of all retained messages together. */
  readonly bytes: number
}

/** Topics that are looked at before others get a turn. */
const PAGE_TOPICS = 128

/** Noted, not committed: the message that is to be retained; undefined = it is to be deleted. */
interface Pending {
  message: StoredMessage | undefined
  /** A transaction has run with it: a newer one is noted apart. */
  sealed: boolean
}

/** Retained messages: one for each topic, bounded in number and bytes. */
export class Retained {
  readonly #database: Database
  readonly #changes: Changes
  readonly #limits: RetainedLimits
  readonly #pending = new Map<string, Pending>()
  readonly #put: Statement
  readonly #delete: Statement
  readonly #bytesOf: Statement
  readonly #get: Statement
  readonly #topics: Statement
  #version = 0
  #count = 0
  #bytes = 0
  #skipped = 0

  constructor(parts: { database: Database; changes: Changes; limits: RetainedLimits }) {
    const { database, changes, limits } = parts
    this.#database = database
    this.#changes = changes
    this.#limits = limits
    this.#put = database.prepare('INSERT OR REPLACE INTO broker_retained VALUES (?, ?, ?, ?, ?, ?)')
    this.#delete = database.prepare('DELETE FROM broker_retained WHERE topic = ?')
    this.#bytesOf = database.prepare('SELECT bytes FROM broker_retained WHERE topic = ?').pluck()
    this.#get = database.prepare('SELECT * FROM broker_retained WHERE topic = ? AND version <= ?')
    this.#topics = database
      .prepare('SELECT topic FROM broker_retained WHERE topic >= ? AND topic < ? ORDER BY topic LIMIT ?')
      .pluck()
  }

  /** With what is noted. */
  get topics(): number {
    return this.#count
  }

  /** Payload bytes, with what is noted. */
  get bytes(): number {
    return this.#bytes
  }

  /** Rows that were left out when they were met. */
  get skipped(): number {
    return this.#skipped
  }

  load(): void {
    const row = this.#database
      .prepare('SELECT count(*) AS count, sum(bytes) AS bytes, max(version) AS version FROM broker_retained')
      .get() as { count: number; bytes: unknown; version: unknown }
    this.#count = row.count
    this.#bytes = Number(row.bytes ?? 0)
    this.#version = isCount(row.version) ? row.version : 0
  }

  /** A commit is done: what is written from now on is newer than any list that was begun before. */
  committed(): void {
    this.#version += 1
  }

  /** False where a bound is met; an empty payload deletes. */
  put(message: StoredMessage): boolean {
    const { topic, payload } = message
    const before = this.#bytesNow(topic)
    if (payload.length === 0) {
      if (before !== undefined) this.#note(topic, undefined, before)
      return true
    }
    const bytes = this.#bytes - (before ?? 0) + payload.length
    const count = this.#count + (before === undefined ? 1 : 0)
    // A bound that was lowered since must not keep a topic from its newest value.
    const grows = count > this.#count || bytes > this.#bytes
    if (grows && (count > this.#limits.topics || bytes > this.#limits.bytes)) return false
    this.#note(topic, message, before)
    return true
  }

  dropWhere(which: (topic: string) => boolean): number {
    let dropped = 0
    const drop = (topic: string): void => {
      const before = which(topic) ? this.#bytesNow(topic) : undefined
      if (before === undefined) return
      this.#note(topic, undefined, before)
      dropped += 1
    }
    for (const topic of this.#pending.keys()) drop(topic)
    for (const topics of this.#pages(EVERY_TOPIC)) topics.forEach(drop)
    return dropped
  }

  /** See `MessageStore.retained`. */
  list(filters: readonly string[]): AsyncIterable<StoredMessage> {
    // Taken here and not at the first step: what is noted or committed from now on is the caller's to get live.
    const version = this.#version
    const noted = new Set(this.#pending.keys())
    return this.#list(filters, { version, noted })
  }

  async *#list(
    filters: readonly string[],
    { version, noted }: { version: number; noted: ReadonlySet<string> },
  ): AsyncGenerator<StoredMessage> {
    // An index and not each filter: a page must not take filters times topics.
    const wanted = new FilterIndex<null>()
    for (const filter of filters) wanted.add(filter, null, 0)
    for (const range of topicRanges(filters)) {
      for (const topics of this.#pages(range)) {
        for (const topic of topics) {
          if (noted.has(topic) || this.#pending.has(topic) || wanted.match(topic).length === 0) continue
          const message = this.#read(topic, version)
          if (message !== undefined) yield message
        }
        await setImmediate()
      }
    }
  }

  /** Topics in order; reads a page when it is asked for it. */
  *#pages({ from, before }: TopicRange): Generator<string[]> {
    let next = from
    for (;;) {
      // A BLOB sorts after every text: the bound of "no bound".
      const page = this.#topics.all(next, before ?? Buffer.alloc(0), PAGE_TOPICS)
      const topics = page.filter(isText)
      if (topics.length > 0) yield topics
      const end = topics.at(-1)
      if (end === undefined || page.length < PAGE_TOPICS) return
      next = directlyAfter(end)
    }
  }

  #read(topic: string, version: number): StoredMessage | undefined {
    const row = this.#get.get(topic, version) as
      | { qos: unknown; extra: unknown; payload: unknown }
      | undefined
    if (row === undefined) return undefined
    const { qos, extra, payload } = row
    if (!isQos(qos) || !isTextOrNull(extra) || !isBytes(payload)) {
      this.#skipped += 1
      return undefined
    }
    return { topic, payload, qos, retain: true, ...(extra !== null && { extra }) }
  }

  /** Payload bytes that the topic has once everything noted is committed; undefined where nothing is retained. */
  #bytesNow(topic: string): number | undefined {
    const pending = this.#pending.get(topic)
    if (pending !== undefined) return pending.message?.payload.length
    const bytes = this.#bytesOf.get(topic)
    return bytes === undefined ? undefined : Number(bytes)
  }

  #note(topic: string, message: StoredMessage | undefined, before: number | undefined): void {
    this.#count += (message === undefined ? 0 : 1) - (before === undefined ? 0 : 1)
    this.#bytes += (message?.payload.length ?? 0) - (before ?? 0)
    const there = this.#pending.get(topic)
    if (there?.sealed === false) {
      there.message = message
      return
    }
    const pending: Pending = { message, sealed: false }
    this.#pending.set(topic, pending)
    this.#changes.note({
      run: () => {
        pending.sealed = true
        this.#write(topic, pending.message)
      },
      done: () => {
        if (this.#pending.get(topic) === pending) this.#pending.delete(topic)
      },
    })
  }

  #write(topic: string, message: StoredMessage | undefined): void {
    if (message === undefined) this.#delete.run(topic)
    else {
      const { payload, qos, extra = null } = message
      this.#put.run(topic, this.#version + 1, payload.length, qos, extra, payload)
    }
  }
}
