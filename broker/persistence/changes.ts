/** One change of the database, noted until a commit holds it. */
export interface Change {
  /** Within the transaction; may run again after a failed commit. */
  run(): void
  /** Once it is committed. */
  done?(): void
}

/** Changes in the order in which they were noted. What is noted while a transaction runs waits for the next one. */
export class Changes {
  #noted: Change[] = []

  get waiting(): number {
    return this.#noted.length
  }

  note(change: Change): void {
    this.#noted.push(change)
  }

  /** Runs everything noted; answers what to do after the commit. */
  write(): () => void {
    const count = this.#noted.length
    for (let at = 0; at < count; at += 1) this.#noted[at]?.run()
    return () => {
      const written = this.#noted
      this.#noted = written.slice(count)
      for (let at = 0; at < count; at += 1) written[at]?.done?.()
    }
  }
}
