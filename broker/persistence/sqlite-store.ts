import { Changes } from './changes.ts'
import { Incoming } from './incoming.ts'
import { Journal } from './journal.ts'
import type {
  BrokerStorage,
  CommitWriter,
  Dropped,
  JournalEntry,
  MessageStore,
  MessageStoreFigures,
  Participant,
  QueuedMessage,
  QueueRow,
  StoredFilter,
  StoredMessage,
  StoredSession,
  StoredWill,
} from './message-store.ts'
import { Queues } from './queues.ts'
import { Retained, type RetainedLimits } from './retained.ts'
import { RunningTime } from './running-time.ts'
import { migrateBroker } from './schema.ts'
import { type Session, SessionBook } from './session-book.ts'
import { Wills } from './wills.ts'

const RETAINED_LIMITS: RetainedLimits = { topics: 50_000, bytes: 32 * 1024 * 1024 }
const NOTHING: Readonly<Dropped> = { count: 0, bytes: 0 }

export interface MessageStoreOptions {
  readonly retained?: RetainedLimits
  /** A clock that never goes back, ms; default: since the process began. */
  readonly monoMs?: () => number
}

/**
 * The message store in SQLite, in a database of the broker or in the gateway's, beside other tables. Makes its tables where
 * they are not there; throws BROKER_STORE_NEWER.
 */
export class SqliteMessageStore implements MessageStore, Participant {
  readonly name = 'broker'
  readonly #writer: CommitWriter
  readonly #changes = new Changes()
  readonly #time: RunningTime
  readonly #book: SessionBook
  readonly #queues: Queues
  readonly #retained: Retained
  readonly #incoming: Incoming
  readonly #wills: Wills
  readonly #journal: Journal
  #committing: Promise<void> | undefined
  #commits = 0
  #skipped = 0

  constructor({ database, writer }: BrokerStorage, options: MessageStoreOptions = {}) {
    migrateBroker(database)
    const changes = this.#changes
    this.#writer = writer
    this.#time = new RunningTime(database, options.monoMs ?? (() => performance.now()))
    this.#book = new SessionBook(database, changes)
    this.#queues = new Queues({ database, changes, book: this.#book, time: this.#time })
    this.#retained = new Retained({ database, changes, limits: options.retained ?? RETAINED_LIMITS })
    this.#incoming = new Incoming({ database, changes, book: this.#book })
    this.#wills = new Wills(database, changes)
    this.#journal = new Journal(database, this.#time)
    writer.join(this)
  }

  load(): StoredSession[] {
    this.#skipped = this.#book.load()
    const { sizes, at } = this.#queues.load()
    this.#skipped += this.#incoming.load() + this.#wills.load()
    this.#retained.load()
    this.#time.load(Math.max(at, this.#journal.load()))
    return [...this.#book.all()].map((session) => {
      const { count, bytes, last } = sizes.get(session.no) ?? { count: 0, bytes: 0, last: 0 }
      session.last = Math.max(session.last, last)
      session.committed = session.last
      const { clientId, principalId, sent, metered } = session
      return {
        clientId,
        principalId,
        filters: [...session.filters.values()],
        last: session.last,
        sent,
        metered,
        count,
        bytes,
      }
    })
  }

  unrouted(): Iterable<JournalEntry> {
    return this.#journal.unrouted()
  }

  openSession(clientId: string, principalId: string): void {
    const there = this.#book.get(clientId)
    if (there?.principalId === principalId) return
    if (there !== undefined) this.dropSession(clientId)
    // What was held for a connection without a session is not this session's.
    this.#incoming.drop(clientId)
    this.#book.open(clientId, principalId)
    this.#writer.wake()
  }

  dropSession(clientId: string): void {
    this.#change(clientId, (session) => {
      this.#incoming.drop(clientId)
      this.#queues.clear(session)
      this.#book.drop(session)
    })
  }

  putSubscription(clientId: string, filter: StoredFilter): void {
    this.#change(clientId, (session) => {
      this.#book.putFilter(session, filter)
    })
  }

  dropSubscription(clientId: string, topic: string): void {
    this.#change(clientId, (session) => {
      this.#book.dropFilter(session, topic)
    })
  }

  enqueue(message: StoredMessage, rows: readonly QueueRow[]): void {
    this.#queues.enqueue(message, rows)
    this.#writer.wake()
  }

  acknowledge(clientId: string, seq: number): void {
    this.#change(clientId, (session) => {
      this.#queues.acknowledge(session, seq)
    })
  }

  release(clientId: string, seq: number): void {
    this.#change(clientId, (session) => {
      this.#queues.release(session, seq)
    })
  }

  amend(clientId: string, seq: number, extra: string): void {
    this.#change(clientId, (session) => {
      this.#queues.amend(session, seq, extra)
    })
  }

  noteSent(clientId: string, seq: number): void {
    this.#change(clientId, (session) => {
      if (seq === session.sent) return
      session.sent = seq
      this.#book.touch(session)
    })
  }

  noteMetered(clientId: string, seq: number): void {
    this.#change(clientId, (session) => {
      if (seq <= session.metered) return
      session.metered = seq
      this.#book.touch(session)
    })
  }

  page(clientId: string, after: number, limit: number): QueuedMessage[] {
    const session = this.#book.get(clientId)
    return session === undefined ? [] : this.#queues.page(session, after, limit)
  }

  shed(clientId: string, keepUpTo: number, needed: Readonly<Dropped>): Dropped {
    const session = this.#book.get(clientId)
    if (session === undefined) return { ...NOTHING }
    this.#writer.wake()
    return this.#queues.shed(session, keepUpTo, needed)
  }

  expire(maxAgeMs: number, keepUpTo: (clientId: string) => number = () => 0): Map<string, Dropped> {
    const dropped = new Map<string, Dropped>()
    const before = this.#time.now() - maxAgeMs
    for (const session of this.#book.all()) {
      const gone = this.#queues.expire(session, keepUpTo(session.clientId), before)
      if (gone.count > 0) dropped.set(session.clientId, gone)
    }
    if (this.#time.keep(this.#changes) || dropped.size > 0) this.#writer.wake()
    return dropped
  }

  retain(message: StoredMessage): boolean {
    this.#writer.wake()
    return this.#retained.put(message)
  }

  retained(filters: readonly string[]): AsyncIterable<StoredMessage> {
    return this.#retained.list(filters)
  }

  dropRetained(which: (topic: string) => boolean): number {
    this.#writer.wake()
    return this.#retained.dropWhere(which)
  }

  holdIncoming(clientId: string, messageId: number, extra = ''): void {
    this.#incoming.hold(clientId, messageId, extra)
    this.#writer.wake()
  }

  holdsIncoming(clientId: string, messageId: number): boolean {
    return this.#incoming.get(clientId, messageId) !== undefined
  }

  incomingExtra(clientId: string, messageId: number): string | undefined {
    return this.#incoming.get(clientId, messageId)
  }

  releaseIncoming(clientId: string, messageId: number): void {
    this.#incoming.release(clientId, messageId)
    this.#writer.wake()
  }

  dropIncoming(clientId: string): void {
    this.#incoming.drop(clientId)
    this.#writer.wake()
  }

  putWill(clientId: string, will: StoredMessage): void {
    this.#wills.put(clientId, will)
    this.#writer.wake()
  }

  dropWill(clientId: string): void {
    this.#wills.drop(clientId)
    this.#writer.wake()
  }

  wills(): StoredWill[] {
    return this.#wills.all()
  }

  journal(entry: JournalEntry): number {
    this.#writer.wake()
    return this.#journal.add(entry)
  }

  routed(upTo = this.#journal.committed): void {
    this.#journal.routed(upTo)
  }

  holdsPublish(entry: Pick<JournalEntry, 'clientId' | 'messageId' | 'topic' | 'payload'>): boolean {
    return this.#journal.holds(entry)
  }

  committed(): Promise<void> {
    // One promise for all who wait for the same commit: a writer's own work for each would cost more than the row.
    return (this.#committing ??= this.#writer.commitSoon())
  }

  /** For the writer. */
  write(): () => void {
    this.#committing = undefined
    const changed = this.#changes.write()
    const journalled = this.#journal.write()
    return () => {
      changed()
      journalled()
      this.#retained.committed()
      this.#commits += 1
    }
  }

  get figures(): MessageStoreFigures {
    return {
      retainedTopics: this.#retained.topics,
      retainedBytes: this.#retained.bytes,
      queueRows: this.#queues.rows,
      journalEntries: this.#journal.entries,
      commits: this.#commits,
      waiting: this.#changes.waiting + this.#journal.waiting,
      skippedRows: this.#skipped + this.#queues.skipped + this.#retained.skipped + this.#journal.skipped,
    }
  }

  #change(clientId: string, how: (session: Session) => void): void {
    const session = this.#book.get(clientId)
    if (session === undefined) return
    how(session)
    this.#writer.wake()
  }
}
