import type { Database, Statement } from 'better-sqlite3'

/** What went through for one principal and one owner of topics since the last commit. */
export interface TrafficDelta {
  readonly principalId: string
  /** Whose topics these are. */
  readonly owner: string
  readonly direction: 'in' | 'out'
  /** Each message once, however often it came or went. */
  messages: number
  /** Whole packets, bytes on the wire below TLS and WebSocket, those of `retransmitted` not included. */
  bytes: number
  /** Bytes of messages that were counted before. */
  retransmitted: number
  /** Messages that were acknowledged and delivered to nobody, and their bytes. */
  refused: number
  refusedBytes: number
}

/** The sums of all deltas of one principal, owner and direction since the database was made: they only grow. */
export type TrafficRegister = Readonly<TrafficDelta>

/** Sums of all registers of one direction. */
export type TrafficTotals = Omit<TrafficRegister, 'principalId' | 'owner'>

const SUMS = ['messages', 'bytes', 'retransmitted', 'refused', 'refused_bytes'] as const

/** Registers of the bytes and messages that passed, written in the transaction that holds the messages. */
export class TrafficRegisters {
  readonly #add: Statement
  readonly #all: Statement
  readonly #totals: Statement

  /** The tables must be there: a message store on the same database makes them. */
  constructor(database: Database) {
    const sums = SUMS.map((name) => `${name} = ${name} + excluded.${name}`).join(', ')
    this.#add = database.prepare(
      `INSERT INTO broker_traffic VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (principal, owner, direction) DO UPDATE SET ${sums}`,
    )
    const refusedBytes = 'refused_bytes AS refusedBytes'
    this.#all = database.prepare(
      `SELECT principal AS principalId, owner, direction, messages, bytes, retransmitted, refused, ${refusedBytes}
        FROM broker_traffic ORDER BY principal, owner, direction`,
    )
    const totals = SUMS.map((name) => `sum(${name}) AS ${name === 'refused_bytes' ? 'refusedBytes' : name}`)
    this.#totals = database.prepare(
      `SELECT direction, ${totals.join(', ')} FROM broker_traffic GROUP BY direction`,
    )
  }

  /** Within the transaction that stores the messages. */
  write(deltas: readonly TrafficRegister[]): void {
    for (const { principalId, owner, direction, ...sums } of deltas) {
      const { messages, bytes, retransmitted, refused, refusedBytes } = sums
      this.#add.run(principalId, owner, direction, messages, bytes, retransmitted, refused, refusedBytes)
    }
  }

  /** Every register as the last commit left it. */
  all(): readonly TrafficRegister[] {
    return this.#all.all() as TrafficRegister[]
  }

  totals(direction: TrafficTotals['direction']): TrafficTotals {
    const none = { direction, messages: 0, bytes: 0, retransmitted: 0, refused: 0, refusedBytes: 0 }
    return (this.#totals.all() as TrafficTotals[]).find((row) => row.direction === direction) ?? none
  }
}
