import Database, { type Database as Connection } from 'better-sqlite3'
import { BrokerError } from '../errors.ts'
import type { CommitWriter, Participant } from './message-store.ts'

/** What nobody waits for is committed this much later at most, ms. */
const WINDOW_MS = 1000
/** After a commit that failed, ms. */
const RETRY_MS = 1000
/** The file could not be written just now; everything else is damage or a fault of the program. */
const PASSING = /^SQLITE_(FULL|READONLY|NOMEM|BUSY|LOCKED)/

export interface GroupCommitOptions {
  readonly database: Connection
  onDamage(error: unknown): void
  onRefused?(error: unknown): void
}

interface Waiting {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * The writer of a broker that has its database to itself. Whoever waits for a commit gets it as soon as the event loop has
 * handed over what had arrived meanwhile, so that all of it shares one fsync. A commit that fails leaves everything with
 * the participants, and is tried again.
 */
export class GroupCommit implements CommitWriter {
  readonly #options: GroupCommitOptions
  readonly #transaction: () => void
  readonly #participants: Participant[] = []
  #after: (() => void)[] = []
  #waiting: Waiting | undefined
  #window: NodeJS.Timeout | undefined
  #soon: NodeJS.Immediate | undefined
  #refused = false
  #dead: BrokerError | undefined

  constructor(options: GroupCommitOptions) {
    this.#options = options
    const { database } = options
    const transaction = database.transaction(() => {
      this.#after = []
      for (const participant of this.#participants) {
        const done = participant.write(database)
        if (done !== undefined) this.#after.push(done)
      }
    })
    this.#transaction = () => {
      transaction.immediate()
    }
  }

  get refused(): boolean {
    return this.#refused
  }

  join(participant: Participant): void {
    this.#participants.push(participant)
  }

  /** Rejects with BROKER_STORE_FAILED after damage, and once it is stopped. */
  commitSoon(): Promise<void> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead)
    this.#waiting ??= newWaiting()
    // While commits fail, the retry decides when: whoever waits must not turn a full disk into a busy loop.
    if (!this.#refused) this.#soon ??= setImmediate(this.#onTime)
    return this.#waiting.promise
  }

  wake(): void {
    if (this.#dead === undefined) this.#window ??= setTimeout(this.#onTime, WINDOW_MS)
  }

  /** Commits what waits, now. Throws where that fails; what waits then is lost. */
  stop(): void {
    this.#clearTimers()
    try {
      if (this.#dead === undefined) this.#commit()
    } finally {
      this.#clearTimers()
      this.#end(new BrokerError('BROKER_STORE_FAILED', 'The store is closed.'))
    }
  }

  readonly #onTime = (): void => {
    this.#clearTimers()
    try {
      this.#commit()
    } catch (error) {
      this.#onFailed(error)
    }
  }

  #commit(): void {
    const waiting = this.#waiting
    this.#transaction()
    this.#waiting = undefined
    this.#refused = false
    for (const done of this.#after) done()
    waiting?.resolve()
  }

  #onFailed(error: unknown): void {
    if (error instanceof Database.SqliteError && PASSING.test(error.code)) {
      this.#refused = true
      this.#window = setTimeout(this.#onTime, RETRY_MS)
      this.#options.onRefused?.(error)
      return
    }
    this.#end(
      new BrokerError('BROKER_STORE_FAILED', 'The database cannot be written any more.', { cause: error }),
    )
    this.#options.onDamage(error)
  }

  #end(dead: BrokerError): void {
    this.#dead ??= dead
    this.#waiting?.reject(this.#dead)
    this.#waiting = undefined
  }

  #clearTimers(): void {
    clearTimeout(this.#window)
    clearImmediate(this.#soon)
    this.#window = undefined
    this.#soon = undefined
  }
}

function newWaiting(): Waiting {
  let settle: Pick<Waiting, 'resolve' | 'reject'> | undefined
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject }
  })
  // Whoever waits sees the rejection; nobody may be waiting any more.
  promise.catch(() => undefined)
  return {
    promise,
    resolve: () => settle?.resolve(),
    reject: (error) => settle?.reject(error),
  }
}
