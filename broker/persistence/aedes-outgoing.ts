import { Readable } from 'node:stream'
import type { MessageStore, QueuedMessage, QueueRow } from './message-store.ts'
import { type AedesPacket, changedExtra, messageOf, moreOf, packetOf } from './packet-json.ts'

const PAGE_ROWS = 64

export interface Subscriber {
  readonly clientId: string
  readonly qos?: 0 | 1 | 2
}

/** What aedes knows a row by. */
interface Numbered {
  readonly seq: number
  messageId: number | undefined
  extra: string | undefined
}

/** The rows of one client by the broker's number of the message, and by the packet identifier it was sent under. */
interface Known {
  last: number
  readonly byNumber: Map<string, Numbered>
  readonly byId: Map<number, Numbered>
}

/**
 * Queues as aedes asks for them: it gives each message a number of its broker and, when it sends it, a packet identifier.
 * Both are kept with the row, so that a PUBREL goes out again under its identifier after a restart.
 */
export class AedesOutgoing {
  readonly #store: MessageStore
  readonly #clients = new Map<string, Known>()

  constructor(store: MessageStore) {
    this.#store = store
  }

  /** Takes up what the last run left for this client. */
  load(clientId: string, last: number): void {
    const known = this.#known(clientId)
    known.last = last
    for (const row of this.#rows(clientId)) {
      const { brokerId, brokerCounter, messageId } = moreOf(row.extra)
      const numbered = { seq: row.seq, messageId: idOf(messageId), extra: row.extra }
      known.byNumber.set(numberOf({ brokerId, brokerCounter }), numbered)
      if (numbered.messageId !== undefined) known.byId.set(numbered.messageId, numbered)
    }
  }

  forget(clientId: string): void {
    this.#clients.delete(clientId)
  }

  /** One row for each client, whatever number of its filters match. */
  enqueue(subscribers: readonly Subscriber[], packet: AedesPacket): void {
    const message = messageOf({ cmd: 'publish', dup: false, ...packet, messageId: undefined })
    const rows = new Map<string, QueueRow>()
    for (const { clientId, qos = 2 } of subscribers) {
      const lowered = Math.min(qos, message.qos)
      if (lowered === 0) continue
      const there = rows.get(clientId)
      const seq = there?.seq ?? this.#number(clientId, packet, message.extra)
      rows.set(clientId, { clientId, seq, qos: Math.max(there?.qos ?? 1, lowered) as 1 | 2 })
    }
    this.#store.enqueue(message, [...rows.values()])
  }

  /**
   * Notes the packet identifier under which a message was sent, or that a PUBREL took its place. Never fails: a message
   * that was dropped meanwhile costs its repetition, not the connection.
   */
  update(clientId: string, packet: Partial<AedesPacket>): void {
    const known = this.#known(clientId)
    const messageId = idOf(packet.messageId)
    if (messageId === undefined) return
    if (packet.cmd === 'pubrel') {
      const sent = known.byId.get(messageId)
      if (sent !== undefined) this.#store.release(clientId, sent.seq)
      return
    }
    const numbered = known.byNumber.get(numberOf(packet))
    if (numbered === undefined) return
    if (numbered.messageId !== undefined && known.byId.get(numbered.messageId) === numbered) {
      known.byId.delete(numbered.messageId)
    }
    numbered.messageId = messageId
    numbered.extra = changedExtra(numbered.extra, { messageId })
    known.byId.set(messageId, numbered)
    this.#store.amend(clientId, numbered.seq, numbered.extra)
  }

  /** Removes what was sent under this packet identifier and answers it. */
  async clear(clientId: string, packet: { readonly messageId?: unknown }): Promise<unknown> {
    const messageId = idOf(packet.messageId)
    const known = this.#clients.get(clientId)
    // aedes asks with no identifier when a delivery is withheld or doubled: nothing was sent then.
    const numbered = messageId === undefined ? undefined : known?.byId.get(messageId)
    if (known === undefined || messageId === undefined || numbered === undefined) return undefined
    known.byId.delete(messageId)
    known.byNumber.delete(numberOf(moreOf(numbered.extra)))
    await this.#store.committed()
    const [row] = this.#store.page(clientId, numbered.seq - 1, 1)
    this.#store.acknowledge(clientId, numbered.seq)
    return row?.seq === numbered.seq ? this.#packet(row) : undefined
  }

  /** What waits, oldest first, once it is committed. */
  stream(clientId: string): Readable {
    return Readable.from(this.#packets(clientId))
  }

  async *#packets(clientId: string): AsyncGenerator {
    await this.#store.committed()
    for (const row of this.#rows(clientId)) yield this.#packet(row)
  }

  *#rows(clientId: string): Generator<QueuedMessage> {
    let after = 0
    for (;;) {
      const page = this.#store.page(clientId, after, PAGE_ROWS)
      yield* page
      const last = page.at(-1)
      if (last === undefined) return
      after = last.seq
    }
  }

  #packet(row: QueuedMessage): unknown {
    const messageId = idOf(moreOf(row.extra)['messageId'])
    return row.released ? { cmd: 'pubrel', messageId } : { ...packetOf(row), messageId }
  }

  #number(clientId: string, packet: AedesPacket, extra: string | undefined): number {
    const known = this.#known(clientId)
    known.last += 1
    known.byNumber.set(numberOf(packet), { seq: known.last, messageId: undefined, extra })
    return known.last
  }

  #known(clientId: string): Known {
    let known = this.#clients.get(clientId)
    if (known === undefined) {
      this.#clients.set(clientId, (known = { last: 0, byNumber: new Map(), byId: new Map() }))
    }
    return known
  }
}

const numberOf = ({ brokerId, brokerCounter }: Partial<AedesPacket>): string =>
  `${String(brokerId)} ${String(brokerCounter)}`

const idOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined)
