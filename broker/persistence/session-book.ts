import type { Database, Statement } from 'better-sqlite3'
import type { Changes } from './changes.ts'
import type { StoredFilter } from './message-store.ts'
import { isCount, isQos, isText, isTextOrNull } from './soundness.ts'

/** Queue numbers of one session, both ends included, that are to leave the queue. */
export interface Leaving {
  readonly from: number
  to: number
  /** A transaction has run with it: it grows no more. */
  sealed: boolean
}

/** What is kept in memory of a session: everything but its queue. */
export interface Session {
  readonly no: number
  readonly clientId: string
  readonly principalId: string
  readonly filters: Map<string, StoredFilter>
  last: number
  sent: number
  metered: number
  /** Highest queue number that a commit holds. */
  committed: number
  /** No row that may expire is older than this, counted running time, ms: most looks end here. */
  agedFrom: number
  /** Every committed row between these that can be shed has been: `from` < number <= `to`. */
  shed: { readonly from: number; to: number }
  /** A change that writes `last`, `sent` and `metered` is noted. */
  touched: boolean
  /** Noted, not committed: rows that go. */
  readonly leaving: Leaving[]
  /** Noted, not committed: rows whose PUBREC came. */
  readonly releasing: Set<number>
}

interface SessionRow {
  no: number
  client: unknown
  principal: unknown
  last: unknown
  sent: unknown
  metered: unknown
}

interface FilterRow {
  session: unknown
  topic: unknown
  qos: unknown
  extra: unknown
}

/** Persistent sessions and their filters. A number is never used for two sessions of one run. */
export class SessionBook {
  readonly #database: Database
  readonly #changes: Changes
  readonly #sessions = new Map<string, Session>()
  readonly #insert: Statement
  readonly #update: Statement
  readonly #delete: Statement
  readonly #putFilter: Statement
  readonly #dropFilter: Statement
  readonly #dropFilters: Statement
  #next = 1

  constructor(database: Database, changes: Changes) {
    this.#database = database
    this.#changes = changes
    this.#insert = database.prepare('INSERT OR REPLACE INTO broker_session VALUES (?, ?, ?, 0, 0, 0)')
    this.#update = database.prepare('UPDATE broker_session SET last = ?, sent = ?, metered = ? WHERE no = ?')
    this.#delete = database.prepare('DELETE FROM broker_session WHERE no = ?')
    this.#putFilter = database.prepare('INSERT OR REPLACE INTO broker_filter VALUES (?, ?, ?, ?)')
    this.#dropFilter = database.prepare('DELETE FROM broker_filter WHERE session = ? AND topic = ?')
    this.#dropFilters = database.prepare('DELETE FROM broker_filter WHERE session = ?')
  }

  /** Answers how many rows were left out. */
  load(): number {
    return this.#loadSessions() + this.#loadFilters()
  }

  get(clientId: string): Session | undefined {
    return this.#sessions.get(clientId)
  }

  all(): IterableIterator<Session> {
    return this.#sessions.values()
  }

  open(clientId: string, principalId: string): void {
    const no = this.#next
    this.#next += 1
    this.#sessions.set(clientId, newSession(no, clientId, principalId))
    this.#changes.note({ run: () => this.#insert.run(no, clientId, principalId) })
  }

  /** Without its queue and incoming ids. */
  drop(session: Session): void {
    this.#sessions.delete(session.clientId)
    this.#changes.note({
      run: () => {
        this.#dropFilters.run(session.no)
        this.#delete.run(session.no)
      },
    })
  }

  putFilter(session: Session, filter: StoredFilter): void {
    const { topic, qos, extra = null } = filter
    session.filters.set(topic, filter)
    this.#changes.note({ run: () => this.#putFilter.run(session.no, topic, qos, extra) })
  }

  dropFilter(session: Session, topic: string): void {
    if (!session.filters.delete(topic)) return
    this.#changes.note({ run: () => this.#dropFilter.run(session.no, topic) })
  }

  /** `last`, `sent` or `metered` changed: written once with the next commit, whatever they are by then. */
  touch(session: Session): void {
    if (session.touched) return
    session.touched = true
    this.#changes.note({
      run: () => {
        session.touched = false
        this.#update.run(session.last, session.sent, session.metered, session.no)
      },
    })
  }

  #loadSessions(): number {
    let skipped = 0
    for (const row of this.#database.prepare('SELECT * FROM broker_session').all() as SessionRow[]) {
      this.#next = Math.max(this.#next, row.no + 1)
      const { client, principal, last, sent } = row
      const metered = isCount(row.metered) ? row.metered : 0
      if (!isText(client) || !isText(principal) || !isCount(last) || !isCount(sent) || !isCount(row.no)) {
        skipped += 1
        this.#changes.note({ run: () => this.#delete.run(row.no) })
        continue
      }
      this.#sessions.set(client, {
        ...newSession(row.no, client, principal),
        ...{ last, sent, metered, committed: last },
      })
    }
    return skipped
  }

  #loadFilters(): number {
    const byNo = new Map([...this.#sessions.values()].map((session) => [session.no, session]))
    let skipped = 0
    for (const row of this.#database.prepare('SELECT * FROM broker_filter').all() as FilterRow[]) {
      const { topic, qos, extra } = row
      const session = byNo.get(Number(row.session))
      if (session === undefined || !isText(topic) || !isQos(qos) || !isTextOrNull(extra)) {
        skipped += 1
        this.#changes.note({ run: () => this.#dropFilter.run(row.session, topic) })
        continue
      }
      session.filters.set(topic, { topic, qos, ...(extra !== null && { extra }) })
    }
    return skipped
  }
}

const newSession = (no: number, clientId: string, principalId: string): Session => ({
  no,
  clientId,
  principalId,
  filters: new Map(),
  last: 0,
  sent: 0,
  metered: 0,
  committed: 0,
  agedFrom: 0,
  shed: { from: 0, to: 0 },
  touched: false,
  leaving: [],
  releasing: new Set(),
})
