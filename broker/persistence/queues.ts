import type { Database } from 'better-sqlite3'
import type { Changes } from './changes.ts'
import type { Dropped, QueuedMessage, QueueRow, StoredMessage } from './message-store.ts'
import {
  MISCOUNTED,
  prepareQueue,
  type QueueStatements,
  RECOUNT,
  SIZES,
  UNNUMBERED,
} from './queue-statements.ts'
import { isLeaving, type PageRow, queuedMessage } from './queue-rows.ts'
import type { RunningTime } from './running-time.ts'
import type { Leaving, Session, SessionBook } from './session-book.ts'
import { SharedRows } from './shared-rows.ts'
import { isCount } from './soundness.ts'

/** Payload bytes after which a page ends. */
const PAGE_BYTES_MAX = 256 * 1024

/** Rows and bytes of one queue at the start. */
interface QueueSize {
  readonly count: number
  readonly bytes: number
  readonly last: number
}

interface SizeRow {
  readonly session: number
  readonly count: number
  readonly bytes: unknown
  readonly last: unknown
  readonly at: unknown
}

interface BareRow {
  seq: number
  bytes: unknown
  at: number
  released: number
}

/** The queues of all sessions. A row is known by its session and its number; numbers of a session only rise. */
export class Queues {
  readonly #database: Database
  readonly #changes: Changes
  readonly #book: SessionBook
  readonly #time: RunningTime
  readonly #statements: QueueStatements
  #nextMessage = 1
  /** Takes what comes until it is written. */
  #adding: SharedRows | undefined
  #shared = false
  #rows = 0
  #skipped = 0

  constructor(parts: { database: Database; changes: Changes; book: SessionBook; time: RunningTime }) {
    this.#database = parts.database
    this.#changes = parts.changes
    this.#book = parts.book
    this.#time = parts.time
    this.#statements = prepareQueue(parts.database)
  }

  /** Committed rows of all queues. */
  get rows(): number {
    return this.#rows
  }

  /** Rows that were left out when they were met. */
  get skipped(): number {
    return this.#skipped
  }

  /** Sizes by session number, and the latest time of any row; drops rows of no session and messages of no row. */
  load(): { sizes: Map<number, QueueSize>; at: number } {
    const known = new Set([...this.#book.all()].map(({ no }) => no))
    const sizes = new Map<number, QueueSize>()
    let at = 0
    const rows = this.#database.prepare(SIZES).all() as SizeRow[]
    for (const { session, count, bytes, last, at: latest } of rows) {
      if (known.has(session) && isCount(last)) {
        sizes.set(session, { count, bytes: Number(bytes), last })
        this.#rows += count
        if (isCount(latest)) at = Math.max(at, latest)
      } else {
        this.#skipped += count
        this.#changes.note({ run: () => this.#statements.clear.run(session) })
      }
    }
    const messages = this.#database.prepare('SELECT max(id) FROM broker_message').pluck().get()
    this.#nextMessage = isCount(messages) ? messages + 1 : 1
    this.#shared = messages !== null
    this.#repair()
    return { sizes, at }
  }

  enqueue(message: StoredMessage, rows: readonly QueueRow[]): void {
    const targets: { session: Session; row: QueueRow }[] = []
    for (const row of rows) {
      const session = this.#book.get(row.clientId)
      if (session === undefined) continue
      session.last = Math.max(session.last, row.seq)
      this.#book.touch(session)
      targets.push({ session, row })
    }
    const [first, second] = targets
    if (first === undefined) return
    if (second === undefined) this.#enqueueOne(message, first.session, first.row)
    else this.#enqueueShared(message, targets)
  }

  /** The row leaves with the next commit; in turn, as acknowledgements usually come, they cost one statement together. */
  acknowledge(session: Session, seq: number): void {
    this.#leaveTogether(session, seq, seq)
  }

  release(session: Session, seq: number): void {
    session.releasing.add(seq)
    this.#changes.note({
      run: () => this.#statements.release.run(session.no, seq),
      done: () => session.releasing.delete(seq),
    })
  }

  amend(session: Session, seq: number, extra: string): void {
    this.#changes.note({ run: () => this.#statements.amend.run(extra, session.no, seq) })
  }

  page(session: Session, after: number, limit: number): QueuedMessage[] {
    const page: QueuedMessage[] = []
    const unsound: number[] = []
    let bytes = 0
    for (const row of this.#statements.page.iterate(session.no, after) as IterableIterator<PageRow>) {
      if (isLeaving(session, Number(row.seq))) continue
      const message = queuedMessage(row, session)
      if (message === undefined) {
        unsound.push(Number(row.seq))
        continue
      }
      page.push(message)
      bytes += message.payload.length
      if (page.length >= limit || bytes >= PAGE_BYTES_MAX) break
    }
    for (const seq of unsound) this.#leave(session, seq, seq)
    this.#skipped += unsound.length
    return page
  }

  /** Drops the oldest until so many have gone, and so many bytes. */
  shed(session: Session, keepUpTo: number, { count, bytes }: Readonly<Dropped>): Dropped {
    const { from, to } = session.shed
    // What was shed before is passed over, or a queue that is full for long would be looked through again and again.
    const joins = from <= keepUpTo && keepUpTo <= to
    const after = joins ? to : keepUpTo
    const shed = (session.shed = { from: joins ? from : keepUpTo, to: after })
    return this.#dropOldest(session, after, ({ seq }, dropped) => {
      if (dropped.count >= count && dropped.bytes >= bytes) return false
      shed.to = seq
      return true
    })
  }

  /** Drops what was enqueued before this running time. */
  expire(session: Session, keepUpTo: number, before: number): Dropped {
    if (before <= session.agedFrom) return { count: 0, bytes: 0 }
    let oldest = before
    const dropped = this.#dropOldest(session, keepUpTo, ({ at }) => {
      if (at >= before) oldest = at
      return at < before
    })
    if (keepUpTo === 0) session.agedFrom = oldest
    return dropped
  }

  clear(session: Session): void {
    this.#leave(session, 0, Number.MAX_SAFE_INTEGER)
  }

  #enqueueOne(message: StoredMessage, session: Session, { seq, qos }: QueueRow): void {
    const { topic, payload, retain, extra = null } = message
    const at = this.#time.now()
    this.#changes.note({
      run: () =>
        this.#statements.insert.run(
          session.no,
          seq,
          at,
          sizeOf(message),
          qos,
          retain ? 1 : 0,
          null,
          extra,
          topic,
          payload,
        ),
      done: () => {
        this.#rows += 1
        session.committed = Math.max(session.committed, seq)
      },
    })
  }

  #enqueueShared(message: StoredMessage, targets: readonly { session: Session; row: QueueRow }[]): void {
    const { topic, payload, retain, extra = null } = message
    const id = this.#nextMessage
    this.#nextMessage += 1
    this.#shared = true
    const rows = targets.map(({ session, row: { seq, qos } }) => ({ session, seq, qos }))
    const at = this.#time.now()
    this.#sharedRows().add({ id, at, bytes: sizeOf(message), topic, payload, retain, extra, rows })
  }

  #sharedRows(): SharedRows {
    if (this.#adding?.isSealed === false) return this.#adding
    this.#adding = new SharedRows(this.#statements, (rows) => {
      this.#rows += rows
    })
    this.#changes.note(this.#adding)
    return this.#adding
  }

  #leaveTogether(session: Session, from: number, to: number): void {
    const newest = session.leaving.at(-1)
    const grows = newest !== undefined && !newest.sealed && newest.to + 1 === from
    // A row that no commit holds is inserted after the older change, and must not leave with it.
    if (grows && to <= session.committed) newest.to = to
    else this.#leave(session, from, to)
  }

  #leave(session: Session, from: number, to: number): void {
    const leaving: Leaving = { from, to, sealed: false }
    // What is added from now on, under the same numbers perhaps, must not leave with it.
    if (to > session.committed && this.#adding !== undefined) this.#adding.isSealed = true
    let gone = 0
    session.leaving.push(leaving)
    this.#changes.note({
      run: () => {
        leaving.sealed = true
        gone = this.#remove(session.no, leaving.from, leaving.to)
      },
      done: () => {
        this.#rows -= gone
        session.leaving.splice(session.leaving.indexOf(leaving), 1)
      },
    })
  }

  #remove(no: number, from: number, to: number): number {
    const { unref, sweep, remove } = this.#statements
    if (this.#shared) {
      unref.run(no, from, to)
      sweep.run(no, from, to)
    }
    return remove.run(no, from, to).changes
  }

  #dropOldest(
    session: Session,
    keepUpTo: number,
    goes: (row: BareRow, dropped: Dropped) => boolean,
  ): Dropped {
    const dropped = { count: 0, bytes: 0 }
    const runs: { from: number; to: number }[] = []
    let run: { from: number; to: number } | undefined
    for (const row of this.#statements.bare.iterate(session.no, keepUpTo) as IterableIterator<BareRow>) {
      if (!goes(row, dropped)) break
      // A PUBREL must be sent until PUBCOMP comes: the client holds the identifier until then.
      if (row.released === 1 || session.releasing.has(row.seq) || isLeaving(session, row.seq)) {
        run = undefined
        continue
      }
      dropped.count += 1
      dropped.bytes += Number(row.bytes)
      if (run === undefined) runs.push((run = { from: row.seq, to: row.seq }))
      else run.to = row.seq
    }
    for (const { from, to } of runs) this.#leaveTogether(session, from, to)
    return dropped
  }

  /** References are changed in the transaction of their rows, so only a damaged file needs this. */
  #repair(): void {
    const unnumbered = Number(this.#database.prepare(`SELECT count(*) ${UNNUMBERED}`).pluck().get())
    if (unnumbered > 0) {
      this.#skipped += unnumbered
      this.#changes.note({ run: () => this.#database.exec(`DELETE ${UNNUMBERED}`) })
    }
    if (this.#database.prepare(MISCOUNTED).get() === undefined) return
    this.#skipped += 1
    this.#changes.note({ run: () => this.#database.exec(RECOUNT) })
  }
}

const sizeOf = ({ topic, payload }: StoredMessage): number => topic.length + payload.length
