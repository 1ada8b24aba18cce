import type { Bound } from '../bounds.ts'
import type { BrokerLimits } from '../limits.ts'
import type { Dropped, MessageStore, QueuedMessage, StoredSession } from '../persistence/index.ts'
import type { Message } from './message.ts'
import type { DeliveryCounts } from './outgoing.ts'
import type { StoredRoom } from './stored-room.ts'

/** Rows read from the store at a time. */
const PAGE_ROWS = 64

interface StoredQueueParts {
  readonly stored: StoredSession
  readonly store: MessageStore
  readonly limits: BrokerLimits
  readonly counts: DeliveryCounts
  /** What the queues of all sessions share. */
  readonly room: StoredRoom
}

/** What is known in memory of the queue of a stored session: its numbers, its size, and a page of what comes next. */
export class StoredQueue {
  readonly clientId: string
  readonly #store: MessageStore
  readonly #limits: BrokerLimits
  readonly #counts: DeliveryCounts
  readonly #room: StoredRoom
  /** Number of the newest row. */
  #last: number
  /** Number of the newest row that a commit has brought to the disk. */
  #committed: number
  /** Rows and their bytes, committed or not. */
  #count = 0
  #bytes = 0
  #page: QueuedMessage[] = []

  constructor({ stored, store, limits, counts, room }: StoredQueueParts) {
    this.clientId = stored.clientId
    this.#store = store
    this.#limits = limits
    this.#counts = counts
    this.#room = room
    this.#last = stored.last
    this.#committed = stored.last
    this.#grow(stored.count, stored.bytes)
  }

  get last(): number {
    return this.#last
  }

  get committed(): number {
    return this.#committed
  }

  /** Messages that wait or are under way. */
  get count(): number {
    return this.#count
  }

  /** Payloads and topics of all of them. */
  get bytes(): number {
    return this.#bytes
  }

  /** Takes the next row number for a message that is being stored; makes room behind `keepUpTo` where there is none. */
  reserve({ size }: Message, keepUpTo: number): number {
    const count = this.#count + 1 - this.#limits.offlineMessages
    const bytes = this.#bytes + size - this.#limits.offlineBytes
    if (count > 0 || bytes > 0)
      this.giveUp({ count, bytes }, { keepUpTo, bound: count > 0 ? 'offlineMessages' : 'offlineBytes' })
    this.#room.make(size)
    this.#grow(1, size)
    this.#last += 1
    return this.#last
  }

  /** Drops the oldest behind `keepUpTo` until so much has gone, because of this bound; answers what has. */
  giveUp(
    needed: Readonly<Dropped>,
    { keepUpTo, bound }: { readonly keepUpTo: number; readonly bound: Bound },
  ): Readonly<Dropped> {
    const dropped = this.#store.shed(this.clientId, keepUpTo, needed)
    this.forgot(dropped, bound)
    // Only rows on the disk can be given up.
    if (dropped.count < needed.count || dropped.bytes < needed.bytes)
      this.#store.committed().catch(() => undefined)
    return dropped
  }

  /** The oldest rows went from the store without having been acknowledged, because of this bound. */
  forgot({ count, bytes }: Readonly<Dropped>, bound: Bound): void {
    if (count === 0) return
    let left = count
    // What is released is never dropped.
    this.#page = this.#page.filter(({ released }) => released || (left -= 1) < 0)
    this.#grow(-count, -bytes)
    this.#counts.droppedOffline += count
    this.#counts.bounds.met(bound, this.clientId, count)
  }

  /** A commit has brought the rows up to here to the disk. */
  settled(seq: number): void {
    this.#committed = Math.max(this.#committed, seq)
  }

  /** The oldest committed row after this one; undefined where there is none now. */
  next(after: number): QueuedMessage | undefined {
    if (this.#page.length === 0) this.#page = this.#store.page(this.clientId, after, PAGE_ROWS)
    return this.#page.shift()
  }

  /** It is the next one again. */
  putBack(row: QueuedMessage): void {
    this.#page.unshift(row)
  }

  /** Begins again: the next row may be any. */
  rewind(): void {
    this.#page = []
  }

  /** A message is done with. */
  settle(seq: number, bytes: number): void {
    this.#store.acknowledge(this.clientId, seq)
    this.#grow(-1, -bytes)
  }

  /** The session is dropped, with all that is in it. */
  drop(): void {
    this.#grow(-this.#count, -this.#bytes)
  }

  #grow(count: number, bytes: number): void {
    this.#count += count
    this.#bytes += bytes
    this.#room.take(count, bytes)
  }
}
