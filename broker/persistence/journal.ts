import { crc32 } from 'node:zlib'
import type { Database, Statement } from 'better-sqlite3'
import { EntryReader, EntryWriter } from './journal-codec.ts'
import type { JournalEntry } from './message-store.ts'
import type { RunningTime } from './running-time.ts'
import { isBytes, isCount } from './soundness.ts'

/** Routed rows are kept for repeated PUBLISHes until they are more than this … */
const KEPT_ROWS_MAX = 1024
/** … or hold more than this; but the newest stays. Four times as much costs a fifth more CPU a message, in checkpoints. */
const KEPT_BYTES_MAX = 256 * 1024
/** A row of a commit that could not be written for long takes no more than this. */
const ROW_BYTES_MAX = 256 * 1024

type Repeated = Pick<JournalEntry, 'clientId' | 'messageId' | 'topic' | 'payload'>

/** One row: what was journalled in one commit. */
class Row {
  readonly id: number
  readonly #bytes: () => Buffer
  readonly #reader = new EntryReader()
  readonly #newest = new Map<string, JournalEntry>()

  constructor(id: number, bytes: () => Buffer) {
    this.id = id
    this.#bytes = bytes
  }

  get bytes(): Buffer {
    return this.#bytes()
  }

  /** The newest entry of this client and identifier. Nothing is decoded before somebody asks: a repetition is rare. */
  find({ clientId, messageId }: Repeated): JournalEntry | undefined {
    const bytes = this.#bytes()
    for (const entry of entriesOf(this.#reader, bytes)) this.#newest.set(keyOf(entry), entry)
    return this.#newest.get(keyOf({ clientId, messageId }))
  }
}

/**
 * Every QoS 1 and 2 message that a client published, one row for each commit. A row stays until what it holds has been
 * routed, and then while it is among the newest: a client repeats what it has seen no PUBACK for, also after a crash.
 */
export class Journal {
  readonly #database: Database
  readonly #time: RunningTime
  readonly #insert: Statement
  readonly #mark: Statement
  readonly #trim: Statement
  readonly #after: Statement
  /** Noted; the last one grows until a transaction runs with it. */
  #waiting: { row: Row; writer: EntryWriter; sealed: boolean }[] = []
  #kept: Row[] = []
  #keptBytes = 0
  #nextId = 1
  #committed = 0
  #routed = 0
  /** As the file has it. */
  #marked = 0
  #trimmed = 0
  #entries = 0
  #skipped = 0

  constructor(database: Database, time: RunningTime) {
    this.#database = database
    this.#time = time
    this.#insert = database.prepare('INSERT OR REPLACE INTO broker_journal VALUES (?, ?, ?, ?, ?)')
    this.#mark = database.prepare('UPDATE broker_journal SET routed = ? WHERE id = ?')
    this.#trim = database.prepare('DELETE FROM broker_journal WHERE id < ?')
    this.#after = database.prepare('SELECT * FROM broker_journal WHERE id > ? ORDER BY id LIMIT 1')
  }

  get entries(): number {
    return this.#entries
  }

  /** Rows that were left out when they were met. */
  get skipped(): number {
    return this.#skipped
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Answers the latest time of any row. */
  load(): number {
    const { at, routed, id } = this.#database
      .prepare('SELECT max(at) AS at, max(routed) AS routed, max(id) AS id FROM broker_journal')
      .get() as Record<string, unknown>
    this.#committed = isCount(id) ? id : 0
    this.#nextId = this.#committed + 1
    // A flipped bit must not hide what is owed: no row tells of a later one than itself.
    this.#routed = isCount(routed) && routed <= this.#committed ? routed : 0
    this.#marked = this.#routed
    const rows = this.#database.prepare('SELECT * FROM broker_journal ORDER BY id DESC').iterate()
    for (const row of rows as IterableIterator<Record<string, unknown>>) {
      const bytes = this.#soundBytes(row)
      if (bytes === undefined) continue
      this.#kept.unshift(new Row(Number(row['id']), () => bytes))
      this.#keptBytes += bytes.length
      if (this.#trimKept()) break
    }
    return isCount(at) ? at : 0
  }

  /** Reads one row at a time. */
  *unrouted(): Generator<JournalEntry> {
    let after = this.#routed
    const last = this.#committed
    for (;;) {
      const row = this.#after.get(after) as Record<string, unknown> | undefined
      const id = Number(row?.['id'])
      if (row === undefined || id > last) return
      const bytes = this.#soundBytes(row)
      if (bytes !== undefined) yield* entriesOf(new EntryReader(), bytes)
      after = id
    }
  }

  /** Answers the number of its row. */
  add(entry: JournalEntry): number {
    this.#entries += 1
    let open = this.#waiting.at(-1)
    if (open === undefined || open.sealed || open.writer.used > ROW_BYTES_MAX) {
      const writer = new EntryWriter()
      open = { row: new Row(this.#nextId, () => writer.bytes()), writer, sealed: false }
      this.#nextId += 1
      this.#waiting.push(open)
    }
    open.writer.add(entry)
    return open.row.id
  }

  routed(upTo: number): void {
    this.#routed = Math.max(this.#routed, Math.min(upTo, this.#committed))
  }

  /** The newest row that is committed. */
  get committed(): number {
    return this.#committed
  }

  holds(repeated: Repeated): boolean {
    for (let at = this.#waiting.length - 1; at >= 0; at -= 1) {
      const entry = this.#waiting[at]?.row.find(repeated)
      if (entry !== undefined) return isSame(entry, repeated)
    }
    for (let at = this.#kept.length - 1; at >= 0; at -= 1) {
      const entry = this.#kept[at]?.find(repeated)
      if (entry !== undefined) return isSame(entry, repeated)
    }
    return false
  }

  /** Within the transaction; answers what to do once it is committed. Alone it is no reason for a commit. */
  write(): () => void {
    const written = [...this.#waiting]
    const routed = this.#routed
    const at = this.#time.now()
    for (const waiting of written) {
      waiting.sealed = true
      const { bytes, id } = waiting.row
      this.#insert.run(id, at, routed, crc32(bytes), bytes)
    }
    if (written.length === 0 && routed > this.#marked) this.#mark.run(routed, this.#committed)
    const oldest = Math.min(this.#kept[0]?.id ?? routed + 1, routed + 1)
    if (oldest > this.#trimmed) this.#trim.run(oldest)
    return () => {
      this.#trimmed = oldest
      this.#marked = routed
      this.#waiting = this.#waiting.slice(written.length)
      for (const { row } of written) this.#keep(row)
    }
  }

  #keep({ id, bytes }: Row): void {
    this.#committed = id
    // As long as it is, not as long as it could have become.
    const own = Buffer.from(bytes)
    this.#kept.push(new Row(id, () => own))
    this.#keptBytes += own.length
    this.#trimKept()
  }

  /** True where something had to go. */
  #trimKept(): boolean {
    let trimmed = false
    while (this.#kept.length > KEPT_ROWS_MAX || (this.#kept.length > 1 && this.#keptBytes > KEPT_BYTES_MAX)) {
      this.#keptBytes -= this.#kept.shift()?.bytes.length ?? 0
      trimmed = true
    }
    return trimmed
  }

  #soundBytes({ entries, crc }: Record<string, unknown>): Buffer | undefined {
    if (isBytes(entries) && crc32(entries) === crc) return entries
    this.#skipped += 1
    return undefined
  }
}

function* entriesOf(reader: EntryReader, bytes: Buffer): Generator<JournalEntry> {
  for (let entry = reader.next(bytes); entry !== undefined; entry = reader.next(bytes)) yield entry
}

const keyOf = ({ clientId, messageId }: Pick<Repeated, 'clientId' | 'messageId'>): string =>
  `${messageId} ${clientId}`

const isSame = (entry: Repeated, other: Repeated): boolean =>
  entry.topic === other.topic && entry.payload.equals(other.payload)
