import type { Database, Statement } from 'better-sqlite3'
import type { Changes } from './changes.ts'
import type { StoredMessage, StoredWill } from './message-store.ts'
import { isBytes, isQos, isText, isTextOrNull } from './soundness.ts'

/** Wills of the clients that are connected, kept so that a broker that was killed can decide about them. */
export class Wills {
  readonly #database: Database
  readonly #changes: Changes
  readonly #wills = new Map<string, StoredWill>()
  readonly #put: Statement
  readonly #delete: Statement

  constructor(database: Database, changes: Changes) {
    this.#database = database
    this.#changes = changes
    this.#put = database.prepare('INSERT OR REPLACE INTO broker_will VALUES (?, ?, ?, ?, ?, ?)')
    this.#delete = database.prepare('DELETE FROM broker_will WHERE client = ?')
  }

  /** Answers how many rows were left out. */
  load(): number {
    let skipped = 0
    for (const row of this.#database.prepare('SELECT * FROM broker_will').all() as Record<
      string,
      unknown
    >[]) {
      const will = storedWill(row)
      if (will !== undefined) this.#wills.set(will.clientId, will)
      else {
        skipped += 1
        this.#changes.note({ run: () => this.#delete.run(row['client']) })
      }
    }
    return skipped
  }

  all(): StoredWill[] {
    return [...this.#wills.values()]
  }

  put(clientId: string, will: StoredMessage): void {
    const { topic, payload, qos, retain, extra = null } = will
    this.#wills.set(clientId, { ...will, clientId })
    this.#changes.note({
      run: () => this.#put.run(clientId, topic, payload, qos, retain ? 1 : 0, extra),
    })
  }

  drop(clientId: string): void {
    if (!this.#wills.delete(clientId)) return
    this.#changes.note({ run: () => this.#delete.run(clientId) })
  }
}

function storedWill(row: Record<string, unknown>): StoredWill | undefined {
  const { client: clientId, topic, payload, qos, retain, extra } = row
  if (!isText(clientId) || !isText(topic) || !isBytes(payload)) return undefined
  if (!isQos(qos) || !isTextOrNull(extra)) return undefined
  return { clientId, topic, payload, qos, retain: retain === 1, ...(extra !== null && { extra }) }
}
