import type { Database, Statement } from 'better-sqlite3'
import type { Changes } from './changes.ts'
import type { SessionBook } from './session-book.ts'
import { isCount, isText } from './soundness.ts'

/** Identifiers of QoS 2 messages that came and whose PUBREL has not, by client. On disk where there is a session. */
export class Incoming {
  readonly #database: Database
  readonly #changes: Changes
  readonly #book: SessionBook
  readonly #held = new Map<string, Map<number, string>>()
  readonly #put: Statement
  readonly #delete: Statement
  readonly #clear: Statement

  constructor(parts: { database: Database; changes: Changes; book: SessionBook }) {
    this.#database = parts.database
    this.#changes = parts.changes
    this.#book = parts.book
    this.#put = parts.database.prepare('INSERT OR REPLACE INTO broker_incoming VALUES (?, ?, ?)')
    this.#delete = parts.database.prepare('DELETE FROM broker_incoming WHERE session = ? AND id = ?')
    this.#clear = parts.database.prepare('DELETE FROM broker_incoming WHERE session = ?')
  }

  /** Answers how many rows were left out. */
  load(): number {
    const clients = new Map([...this.#book.all()].map(({ no, clientId }) => [no, clientId]))
    let skipped = 0
    const rows = this.#database.prepare('SELECT * FROM broker_incoming').all()
    for (const { session, id, extra } of rows as { session: unknown; id: unknown; extra: unknown }[]) {
      const clientId = clients.get(Number(session))
      if (clientId !== undefined && isCount(id) && isText(extra)) this.#of(clientId).set(id, extra)
      else {
        skipped += 1
        this.#changes.note({ run: () => this.#delete.run(session, id) })
      }
    }
    return skipped
  }

  hold(clientId: string, messageId: number, extra: string): void {
    this.#of(clientId).set(messageId, extra)
    const session = this.#book.get(clientId)
    if (session !== undefined) this.#changes.note({ run: () => this.#put.run(session.no, messageId, extra) })
  }

  get(clientId: string, messageId: number): string | undefined {
    return this.#held.get(clientId)?.get(messageId)
  }

  release(clientId: string, messageId: number): void {
    const held = this.#held.get(clientId)
    if (held?.delete(messageId) !== true) return
    if (held.size === 0) this.#held.delete(clientId)
    const session = this.#book.get(clientId)
    if (session !== undefined) this.#changes.note({ run: () => this.#delete.run(session.no, messageId) })
  }

  drop(clientId: string): void {
    if (!this.#held.delete(clientId)) return
    const session = this.#book.get(clientId)
    if (session !== undefined) this.#changes.note({ run: () => this.#clear.run(session.no) })
  }

  #of(clientId: string): Map<number, string> {
    let held = this.#held.get(clientId)
    if (held === undefined) this.#held.set(clientId, (held = new Map<number, string>()))
    return held
  }
}
