import type { Change } from './changes.ts'
import type { QueueStatements } from './queue-statements.ts'
import type { Session } from './session-book.ts'

/** A message that waits in several queues. */
export interface SharedMessage {
  readonly id: number
  readonly at: number
  readonly bytes: number
  readonly topic: string
  readonly payload: Buffer
  readonly retain: boolean
  readonly extra: string | null
  readonly rows: readonly { readonly session: Session; readonly seq: number; readonly qos: 1 | 2 }[]
}

/**
 * What one commit adds to several queues at once. The rows go in queue by queue, not message by message: a thousand
 * queues end on a thousand pages, and each page is then read and written once a commit instead of once a message.
 */
export class SharedRows implements Change {
  readonly #statements: QueueStatements
  readonly #written: (rows: number) => void
  readonly #messages: SharedMessage[] = []
  /** Nothing may be added any more: it is being written, or something was noted that must come after it. */
  isSealed = false

  constructor(statements: QueueStatements, written: (rows: number) => void) {
    this.#statements = statements
    this.#written = written
  }

  add(message: SharedMessage): void {
    this.#messages.push(message)
  }

  run(): void {
    this.isSealed = true
    const { insert, insertMessage } = this.#statements
    const rows = this.#messages.flatMap((message) => message.rows.map((row) => ({ ...row, message })))
    for (const { id, rows: own, topic, payload } of this.#messages)
      insertMessage.run(id, own.length, topic, payload)
    rows.sort((a, b) => a.session.no - b.session.no || a.seq - b.seq)
    for (const { session, seq, qos, message } of rows) {
      const { at, bytes, retain, id, extra } = message
      insert.run(session.no, seq, at, bytes, qos, retain ? 1 : 0, id, extra, null, null)
    }
  }

  done(): void {
    for (const { rows } of this.#messages) {
      this.#written(rows.length)
      for (const { session, seq } of rows) session.committed = Math.max(session.committed, seq)
    }
  }
}
