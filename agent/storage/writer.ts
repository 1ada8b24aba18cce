import type { Database } from 'better-sqlite3'
import { AgentError } from '../errors.ts'
import { isDamage, isFileTrouble } from './database.ts'

/** Readings and increments wait this long for their commit, ms (decisions.md, commit window). */
export const COMMIT_WINDOW_MS = 1000
/** Works that may wait; beyond it `submit` refuses with STORE_FULL. */
const WORKS_MAX = 20_000
/** Works whose submitter waits for durability that are committed together at most. */
const SOON_WORKS_MAX = 512
/** After a commit that failed, ms. */
const RETRY_MS = 1000

/** Called within the transaction. It may run again after a failed commit: it changes nothing but the database. */
export type Write<T> = (database: Database) => T

/** Takes part in every transaction, after the submitted works. Answers what to do in memory once it is committed. */
export interface Participant {
  readonly name: string
  write(database: Database): (() => void) | undefined
}

export interface WriterOptions {
  readonly database: Database
  readonly windowMs?: number
  /** Called once for damage, an I/O error or a fault of the program: from then on every submit is refused. */
  onDamage(error: unknown): void
  /** Called after each commit that failed otherwise (the disk is full, or read-only) and before its retry. */
  onRefused(error: unknown): void
}

interface Work {
  readonly run: () => void
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * The one writer of the gateway's database. Everything submitted within a window goes into one transaction and one
 * fsync; promises resolve after the commit. A commit that fails leaves everything waiting, in order, and is tried again.
 */
export class Writer {
  readonly #database: Database
  readonly #windowMs: number
  readonly #options: WriterOptions
  readonly #participants: Participant[] = []
  #works: Work[] = []
  #window: NodeJS.Timeout | undefined
  #soon: NodeJS.Immediate | undefined
  #refused = false
  #dead: AgentError | undefined
  #commits = 0

  constructor(options: WriterOptions) {
    this.#options = options
    this.#database = options.database
    this.#windowMs = options.windowMs ?? COMMIT_WINDOW_MS
  }

  /** Commits that returned since the start. */
  get commits(): number {
    return this.#commits
  }

  /** True while the last commit failed and is being tried again. */
  get refused(): boolean {
    return this.#refused
  }

  join(participant: Participant): void {
    this.#participants.push(participant)
  }

  /**
   * Runs `write` in the transaction of this window and resolves with its answer after the commit. What `write` throws
   * rejects this work alone; the others of its window are committed. Rejects with STORE_FULL where too much waits
   * already and with STORE_FAILED after damage.
   */
  submit<T>(write: Write<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#dead !== undefined) {
        reject(this.#dead)
        return
      }
      if (this.#works.length >= WORKS_MAX) {
        reject(new AgentError('STORE_FULL', `${WORKS_MAX} works wait for the disk.`))
        return
      }
      let answer: { value: T } | { error: Error } | undefined
      const run = (): void => {
        answer = this.#isolated(write)
      }
      const settle = (): void => {
        if (answer === undefined) return
        if ('value' in answer) resolve(answer.value)
        else reject(answer.error)
      }
      this.#works.push({ run, resolve: settle, reject })
      this.wake()
      if (this.#works.length >= SOON_WORKS_MAX) this.#commitAtOnce()
    })
  }

  /**
   * For whoever waits for durability (a PUBACK, an alarm): commits as soon as the event loop has handed over what had
   * arrived meanwhile, and resolves after it. Whatever else waits goes along.
   */
  commitSoon(): Promise<void> {
    const done = this.submit(() => undefined)
    this.#commitAtOnce()
    return done
  }

  /** Something waits in a participant: starts the window unless it runs already. */
  wake(): void {
    if (this.#dead === undefined) this.#window ??= setTimeout(this.#onTime, this.#windowMs)
  }

  /** Enough waits: the window ends as soon as the event loop is free. */
  hurry(): void {
    this.#commitAtOnce()
  }

  /** Commits what waits, now. Throws where that fails; what waits then is still only in memory. */
  stop(): void {
    this.#clearTimers()
    try {
      if (this.#dead === undefined) this.#commit()
    } finally {
      this.#clearTimers()
      const gone = (this.#dead ??= new AgentError('STORE_FAILED', 'The store is closed.'))
      for (const work of this.#works.splice(0)) work.reject(gone)
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

  #commitAtOnce(): void {
    // While commits fail, the retry decides when: whoever waits must not turn a full disk into a busy loop.
    if (this.#dead === undefined && !this.#refused) this.#soon ??= setImmediate(this.#onTime)
  }

  #commit(): void {
    const works = this.#works
    const after: (() => void)[] = []
    this.#database
      .transaction(() => {
        for (const work of works) work.run()
        for (const participant of this.#participants) {
          const done = participant.write(this.#database)
          if (done !== undefined) after.push(done)
        }
      })
      .immediate()
    this.#works = []
    this.#commits += 1
    this.#refused = false
    for (const done of after) done()
    for (const work of works) work.resolve()
  }

  /** A work in a savepoint of its own: its own error rolls back only itself, trouble with the file the whole window. */
  #isolated<T>(write: Write<T>): { value: T } | { error: Error } {
    try {
      return { value: this.#database.transaction(() => write(this.#database))() }
    } catch (error) {
      if (isFileTrouble(error)) throw error
      return { error: error instanceof Error ? error : new Error(String(error)) }
    }
  }

  #onFailed(error: unknown): void {
    if (!isFileTrouble(error) || isDamage(error)) {
      this.#dead = new AgentError('STORE_FAILED', 'The database cannot be written any more.', {
        cause: error,
      })
      for (const work of this.#works.splice(0)) work.reject(this.#dead)
      this.#options.onDamage(error)
      return
    }
    this.#refused = true
    this.#options.onRefused(error)
    this.#window = setTimeout(this.#onTime, RETRY_MS)
  }

  #clearTimers(): void {
    clearTimeout(this.#window)
    clearImmediate(this.#soon)
    this.#window = undefined
    this.#soon = undefined
  }
}
