import type { Database } from 'better-sqlite3'
import type { GatewayEvent } from '../../cloud-sync/contract/index.ts'
import { recordEvent } from './events.ts'
import { readMeta, writeMeta } from './meta.ts'
import type { UsageLedger } from './usage.ts'
import type { Writer } from './writer.ts'

const KEY = 'claim'

/** Whose the gateway is, as JSON of whoever decides that: kept, not understood. */
export class ClaimRecord {
  readonly #database: Database
  readonly #writer: Writer
  readonly #ledger: UsageLedger

  constructor(database: Database, writer: Writer, ledger: UsageLedger) {
    this.#database = database
    this.#writer = writer
    this.#ledger = ledger
  }

  /** Undefined on a gateway where nothing has happened yet. */
  read(): unknown {
    return readMeta(this.#database, KEY)
  }

  /**
   * Stores the new state and what is to be told of it in one transaction; with a new owner the usage counted so far ends
   * under the old one. Resolves once it is committed.
   */
  write(
    state: unknown,
    { event, newOwner }: { readonly event: GatewayEvent | null; readonly newOwner: boolean },
  ): Promise<void> {
    const committed = this.#writer.submit((database) => {
      writeMeta(database, KEY, state)
      if (event !== null) recordEvent(database, event)
      if (newOwner) this.#ledger.closeAtNextCommit()
    })
    this.#writer.hurry()
    return committed
  }
}
