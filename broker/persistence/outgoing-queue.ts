import { QUEUE_BYTES_MAX, QUEUE_PACKETS_MAX } from '../limits.ts'

/** What aedes stores for a session: a message, or the PUBREL that took the place of a QoS 2 one. */
export interface StoredPacket {
  readonly cmd: 'publish' | 'pubrel'
  readonly brokerId?: string
  readonly brokerCounter?: number
  readonly topic?: string
  readonly payload?: Buffer
  readonly qos?: 0 | 1 | 2
  readonly retain?: boolean
  readonly dup?: boolean
  messageId?: number | undefined
}

/** The unacknowledged packets of one session in order, bounded in number and bytes; the oldest go first. */
export class OutgoingQueue {
  readonly #packets = new Map<number, StoredPacket>()
  readonly #numbers = new Map<number, number>()
  readonly #onDrop: () => void
  #bytes = 0

  constructor(onDrop: () => void) {
    this.#onDrop = onDrop
  }

  /** Appends under the broker's own number of the message; one that is there already is not doubled. */
  add(number: number, packet: StoredPacket): void {
    if (this.#packets.has(number)) return
    this.#packets.set(number, packet)
    this.#bytes += packet.payload?.length ?? 0
    for (const oldest of this.#packets.keys()) {
      if (this.#packets.size <= QUEUE_PACKETS_MAX && this.#bytes <= QUEUE_BYTES_MAX) return
      this.#remove(oldest)
      this.#onDrop()
    }
  }

  /** Notes the packet identifier under which a message was sent, or puts a PUBREL in its place. */
  update(packet: StoredPacket): void {
    const id = packet.messageId
    if (id === undefined) return
    if (packet.cmd === 'pubrel') {
      const number = this.#numbers.get(id)
      if (number === undefined) return
      this.#bytes -= this.#packets.get(number)?.payload?.length ?? 0
      this.#packets.set(number, { cmd: 'pubrel', messageId: id })
      return
    }
    const stored = this.#packets.get(packet.brokerCounter ?? -1)
    if (stored === undefined || packet.brokerCounter === undefined) return
    if (stored.messageId !== undefined) this.#numbers.delete(stored.messageId)
    stored.messageId = id
    this.#numbers.set(id, packet.brokerCounter)
  }

  /** Removes what was sent under this packet identifier and returns it. */
  acknowledge(messageId: number | undefined): StoredPacket | undefined {
    // aedes asks with no identifier when a delivery is withheld or doubled; taking "the first unsent one" then
    // would lose a message that somebody else is owed.
    const number = messageId === undefined ? undefined : this.#numbers.get(messageId)
    return number === undefined ? undefined : this.#remove(number)
  }

  /** What waits, oldest first; a message that was sent before is marked as a repetition [MQTT-3.3.1-1]. */
  list(): StoredPacket[] {
    return [...this.#packets.values()].map((packet) => ({ ...packet, dup: packet.messageId !== undefined }))
  }

  #remove(number: number): StoredPacket | undefined {
    const packet = this.#packets.get(number)
    this.#packets.delete(number)
    this.#bytes -= packet?.payload?.length ?? 0
    if (packet?.messageId !== undefined) this.#numbers.delete(packet.messageId)
    return packet
  }
}
