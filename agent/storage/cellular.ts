import type { Database } from 'better-sqlite3'
import type { OrgId } from '../../cloud-sync/contract/index.ts'
import type { CellularMeter } from '../cellular/index.ts'
import { readMeta } from './meta.ts'
import type { UsageLedger } from './usage.ts'
import type { Writer } from './writer.ts'

const KEY = 'cellular'

interface CellularRecordParts {
  readonly ledger: UsageLedger
  /** Whose the gateway's own events are. */
  readonly organisation: () => OrgId
}

/** Registers of cellular links, and what their meter remembers: kept as JSON, not understood. */
export class CellularRecord implements CellularMeter {
  readonly #database: Database
  readonly #writer: Writer
  readonly #parts: CellularRecordParts

  constructor(database: Database, writer: Writer, parts: CellularRecordParts) {
    this.#database = database
    this.#writer = writer
    this.#parts = parts
  }

  /** Undefined on a gateway where nothing was counted yet. */
  read(): unknown {
    return readMeta(this.#database, KEY)
  }

  /** Counts and remembers in one transaction; an event ends the interval with it. Resolves once it is committed. */
  count(counted: Parameters<CellularMeter['count']>[0]): Promise<void> {
    const { ledger, organisation } = this.#parts
    const { increments, memory, events, isLast } = counted
    // Both wait in the ledger for the same transaction: a commit that fails keeps both for the next.
    ledger.count(increments, { key: KEY, value: memory })
    for (const name of events) ledger.noteEvent({ name, org: organisation() })
    if (isLast || events.length > 0) ledger.closeAtNextCommit()
    return this.#writer.submit(() => undefined)
  }
}
