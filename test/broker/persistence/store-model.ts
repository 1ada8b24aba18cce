import { filterMatches } from '../../../broker/topics.ts'

/** A row as the model knows it. */
export interface ModelRow {
  topic: string
  payload: string
  qos: 1 | 2
  released: boolean
  committed: boolean
}

interface ModelSession {
  principalId: string
  filters: Map<string, number>
  rows: Map<number, ModelRow>
  incoming: Set<number>
  last: number
  sent: number
}

/** All that the store holds, in plain maps. */
export interface ModelState {
  sessions: Map<string, ModelSession>
  retained: Map<string, string>
  wills: Map<string, string>
  journal: { topic: string; payload: string; clientId: string; messageId: number; routed: boolean }[]
}

/** The plain model that the message store is compared with: every change at once, a crash goes back to the last commit. */
export class StoreModel {
  state: ModelState = { sessions: new Map(), retained: new Map(), wills: new Map(), journal: [] }
  #durable: ModelState = structuredClone(this.state)

  commit(): void {
    for (const { rows } of this.state.sessions.values()) {
      for (const row of rows.values()) row.committed = true
    }
    this.#durable = structuredClone(this.state)
  }

  crash(): void {
    this.state = structuredClone(this.#durable)
  }

  /** Entries that the last commit holds. */
  get durableJournal(): number {
    return this.#durable.journal.length
  }

  open(clientId: string, principalId: string): void {
    if (this.state.sessions.get(clientId)?.principalId === principalId) return
    this.state.sessions.set(clientId, {
      principalId,
      filters: new Map(),
      rows: new Map(),
      incoming: new Set(),
      last: 0,
      sent: 0,
    })
  }

  session(clientId: string): ModelSession | undefined {
    return this.state.sessions.get(clientId)
  }

  /** Numbers of the rows that a page gives out. */
  page(clientId: string): { seq: number; row: ModelRow }[] {
    const rows = [...(this.session(clientId)?.rows ?? [])].filter(([, row]) => row.committed)
    return rows.sort(([a], [b]) => a - b).map(([seq, row]) => ({ seq, row }))
  }

  shed(clientId: string, keepUpTo: number, needed: { count: number; bytes: number }): typeof needed {
    const dropped = { count: 0, bytes: 0 }
    for (const { seq, row } of this.page(clientId)) {
      if (dropped.count >= needed.count && dropped.bytes >= needed.bytes) break
      if (seq <= keepUpTo || row.released) continue
      dropped.count += 1
      dropped.bytes += row.topic.length + Buffer.byteLength(row.payload)
      this.session(clientId)?.rows.delete(seq)
    }
    return dropped
  }

  retainedBy(filters: readonly string[]): [string, string][] {
    return [...this.state.retained]
      .filter(([topic]) => filters.some((filter) => filterMatches(filter, topic)))
      .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  }
}
