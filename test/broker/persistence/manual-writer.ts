import Database, { type Database as Connection } from 'better-sqlite3'
import type { CommitWriter, Participant } from '../../../broker/persistence/message-store.ts'

/** A writer whose commits a test makes, one by one; `fails` runs the transaction and rolls it back, as a full disk does. */
export class ManualWriter implements CommitWriter {
  refused = false
  woken = 0
  readonly #database: Connection
  readonly #participants: Participant[] = []
  #waiting: (() => void)[] = []

  constructor(database: Connection) {
    this.#database = database
  }

  join(participant: Participant): void {
    this.#participants.push(participant)
  }

  commitSoon(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  wake(): void {
    this.woken += 1
  }

  commit({ fails = false } = {}): void {
    const after: (() => void)[] = []
    const transaction = this.#database.transaction(() => {
      for (const participant of this.#participants)
        after.push(participant.write(this.#database) ?? (() => undefined))
      if (fails) throw new Database.SqliteError('no room', 'SQLITE_FULL')
    })
    try {
      transaction.immediate()
    } catch (error) {
      this.refused = true
      if (!fails) throw error
      return
    }
    this.refused = false
    for (const done of after) done()
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
