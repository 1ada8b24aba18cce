import type { Database } from 'better-sqlite3'

export type Qos = 0 | 1 | 2

/** Takes part in every transaction of a writer. `write` may run again after a failed commit. */
export interface Participant {
  readonly name: string
  /** Called within the transaction; answers what to do in memory once it is committed. */
  write(database: Database): (() => void) | undefined
}

/** The one group-commit writer of a database. What a commit that failed left behind is tried again, in order. */
export interface CommitWriter {
  join(participant: Participant): void
  /** Resolves after the commit that holds everything noted so far; commits as soon as the event loop is free. */
  commitSoon(): Promise<void>
  /** Something waits in a participant: it is committed at the latest in one window. */
  wake(): void
  /** True while the last commit failed (the disk is full) and is being tried again. */
  readonly refused: boolean
}

/** A database and its one writer; whoever opened them closes them. */
export interface BrokerStorage {
  readonly database: Database
  readonly writer: CommitWriter
}

export interface StoredFilter {
  readonly topic: string
  readonly qos: Qos
  /** Whatever else the caller wants back with it. */
  readonly extra?: string
}

/** A session as the last commit left it. */
export interface StoredSession {
  readonly clientId: string
  readonly principalId: string
  readonly filters: readonly StoredFilter[]
  /** Highest queue number ever given in this session; 0 = none. */
  readonly last: number
  /** Rows up to this one may have been sent before (DUP). */
  readonly sent: number
  /** Rows up to this one are in the registers as messages that were sent. */
  readonly metered: number
  /** Rows that wait, and their bytes: of each the payload and the length of the topic. */
  readonly count: number
  readonly bytes: number
}

export interface StoredMessage {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: Qos
  readonly retain: boolean
  /** Whatever else the caller wants back with it. */
  readonly extra?: string
}

/** A message in the queue of one session. */
export interface QueuedMessage extends StoredMessage {
  readonly seq: number
  readonly qos: 1 | 2
  /** PUBREC came: PUBREL is to be sent, not the message. */
  readonly released: boolean
}

/** Where a message goes: the next queue number of a session, and the QoS it is sent with. */
export interface QueueRow {
  readonly clientId: string
  readonly seq: number
  readonly qos: 1 | 2
}

/** A QoS 1 or 2 PUBLISH as a client sent it. */
export interface JournalEntry extends StoredMessage {
  readonly principalId: string
  readonly clientId: string
  readonly messageId: number
}

export interface StoredWill extends StoredMessage {
  readonly clientId: string
}

/** What left a queue: messages and their bytes, of each the payload and the length of the topic. */
export interface Dropped {
  count: number
  bytes: number
}

export interface MessageStoreFigures {
  readonly retainedTopics: number
  readonly retainedBytes: number
  readonly queueRows: number
  /** Entries journalled since the start. */
  readonly journalEntries: number
  readonly commits: number
  /** Changes that no commit holds yet. */
  readonly waiting: number
  /** Rows that were not what this program writes, left out at the start or when they were met. */
  readonly skippedRows: number
}

/**
 * What the broker keeps: sessions, their queues, retained messages, wills, half-done QoS 2 messages and a journal of what
 * clients published. Every change is only noted; the next commit of the writer holds all that was noted before it, in
 * order, and a commit that fails leaves everything noted. Reading answers committed rows unless it says otherwise; it
 * throws what SQLite throws where the file is damaged.
 */
export interface MessageStore {
  /** Sessions as the last commit left them; drops what belongs to none. Called once, before anything else. */
  load(): StoredSession[]
  /** Journalled, committed, and not known to be routed; oldest first. Duplicates are possible, loss is not. */
  unrouted(): Iterable<JournalEntry>
  /** Of another principal: the session that was there is dropped first. */
  openSession(clientId: string, principalId: string): void
  /** Subscriptions, queue and incoming ids, in one step. */
  dropSession(clientId: string): void
  putSubscription(clientId: string, filter: StoredFilter): void
  dropSubscription(clientId: string, topic: string): void
  /** Rows of a client id without a session are left out. Numbers of a session only rise. */
  enqueue(message: StoredMessage, rows: readonly QueueRow[]): void
  acknowledge(clientId: string, seq: number): void
  /** QoS 2: PUBREC came. */
  release(clientId: string, seq: number): void
  /** Replaces the `extra` of one row. */
  amend(clientId: string, seq: number, extra: string): void
  /** Up to here rows of the session may have been sent; may go back, to where it is known. Written lazily. */
  noteSent(clientId: string, seq: number): void
  /** Up to here the rows of the session are metered; written by the commit that holds the meter. */
  noteMetered(clientId: string, seq: number): void
  /**
   * Committed rows after `after`, oldest first, without what is acknowledged. Large ones end a page early: only an empty
   * page means that there are no more.
   */
  page(clientId: string, after: number, limit: number): QueuedMessage[]
  /** Drops the oldest committed rows after `keepUpTo` (what is in flight) until as much as `needed` has gone, or all. */
  shed(clientId: string, keepUpTo: number, needed: Readonly<Dropped>): Dropped
  /**
   * Drops rows that have waited longer, in counted running time, of all sessions, and answers what went by client id.
   * `keepUpTo` names for a client the last row in flight, which stays; PUBRELs stay anyway.
   */
  expire(maxAgeMs: number, keepUpTo?: (clientId: string) => number): Map<string, Dropped>
  /** False where the bound of topics or bytes is met. An empty payload deletes [MQTT-3.3.1-10]. */
  retain(message: StoredMessage): boolean
  /**
   * Retained messages that match one of the filters, in order of topic, as they are when this is called: a topic that
   * changes before it is reached is left out (the caller gets that change live). Memory is bounded, others get a turn.
   */
  retained(filters: readonly string[]): AsyncIterable<StoredMessage>
  /** Drops the retained messages of the topics for which it is true; answers how many. */
  dropRetained(which: (topic: string) => boolean): number
  /** Kept on disk where the client has a session; otherwise in memory, until `releaseIncoming` or `dropIncoming`. */
  holdIncoming(clientId: string, messageId: number, extra?: string): void
  /** Noted or committed. */
  holdsIncoming(clientId: string, messageId: number): boolean
  /** What was given to `holdIncoming`; undefined where the id is not held. */
  incomingExtra(clientId: string, messageId: number): string | undefined
  /** Before PUBCOMP is sent, wait for `committed()`: a held id that a new message reuses after a crash would hide it. */
  releaseIncoming(clientId: string, messageId: number): void
  dropIncoming(clientId: string): void
  putWill(clientId: string, will: StoredMessage): void
  dropWill(clientId: string): void
  /** Noted or committed; after a start: of the connections that the last run left without a word. */
  wills(): StoredWill[]
  /**
   * Notes a QoS 1 or 2 message that a client published, whoever gets it. Answers the number of its commit's row, for
   * `routed`.
   */
  journal(entry: JournalEntry): number
  /** Everything journalled under this number and before has been routed; default: all that is committed. */
  routed(upTo?: number): void
  /**
   * True where the newest journalled message of this client and identifier is this very one. Only for a PUBLISH with DUP,
   * and only to count it once: a client that repeats content and identifier gives the same answer, so the message itself
   * must be passed on again (at least once).
   */
  holdsPublish(entry: Pick<JournalEntry, 'clientId' | 'messageId' | 'topic' | 'payload'>): boolean
  /** Resolves after the commit that holds everything noted so far. */
  committed(): Promise<void>
  readonly figures: MessageStoreFigures
}
