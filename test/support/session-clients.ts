import {
  ackPacket,
  idOf,
  payloadStart,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  publishPacket,
  PUBREC,
  PUBREL,
  qosOf,
  type Seen,
  topicOf,
} from './mqtt-bytes.ts'
import { RawClient } from './raw-client.ts'

/** Bytes of a message's number in its payload. */
const NUMBER_BYTES = 4
/** Messages on the way at one time. */
const WINDOW = 100

export interface SubscriberOptions {
  readonly clientId: string
  readonly filters: readonly string[]
  readonly qos: 0 | 1 | 2
  readonly clean?: boolean
}

/** A subscriber that remembers over its connections what it has seen, and keeps its half of QoS 2. */
export class SessionSubscriber {
  readonly #options: SubscriberOptions
  /** Number of a message to how often it came. */
  readonly seen = new Map<number, number>()
  /** The last number of each topic. */
  readonly last = new Map<string, number>()
  /** It takes messages and acknowledges none, as one does that hangs. */
  acknowledges = true
  /** Identifiers of QoS 2 messages that are taken and not yet released [MQTT-4.3.3-2]. */
  readonly #held = new Set<number>()
  #client: RawClient | undefined
  #answers: Buffer[] = []

  constructor(options: SubscriberOptions) {
    this.#options = options
  }

  /** Connects; whether the broker knew the session. */
  async connect(port: number): Promise<boolean> {
    const { clientId, clean = false } = this.#options
    const client = new RawClient(port)
    this.#answers = []
    client.onPacket = (seen) => {
      this.#take(seen)
    }
    client.afterRead = () => {
      client.send(...this.#answers.splice(0))
    }
    this.#client = client
    const present = await client.logIn({ clientId, clean })
    if (!present) this.#held.clear()
    return present
  }

  /** Subscribes to its filters in one packet; the return codes. */
  subscribe(): Promise<number[]> {
    const { filters, qos } = this.#options
    return this.#client?.subscribe(filters, qos) ?? Promise.resolve([])
  }

  /** Goes away without a DISCONNECT. */
  destroy(): void {
    this.#client?.destroy()
  }

  #take(seen: Seen): void {
    if (seen.type === PUBREL) {
      this.#held.delete(idOf(seen))
      this.#answer(PUBCOMP, idOf(seen))
    } else if (seen.type === PUBLISH) {
      const qos = qosOf(seen)
      if (qos !== 2) this.#note(seen)
      else if (!this.#held.has(idOf(seen))) {
        this.#note(seen)
        this.#held.add(idOf(seen))
      }
      if (qos > 0) this.#answer(qos === 1 ? PUBACK : PUBREC, idOf(seen))
    }
  }

  #note(seen: Seen): void {
    const number = seen.bytes.readUInt32BE(payloadStart(seen))
    this.seen.set(number, (this.seen.get(number) ?? 0) + 1)
    this.last.set(topicOf(seen), number)
  }

  #answer(type: number, id: number): void {
    if (this.acknowledges) this.#answers.push(ackPacket(type, id))
  }
}

interface Sent {
  readonly topic: string
  readonly number: number
  readonly qos: 1 | 2
  readonly retain: boolean
  /** PUBREC has come: from now on only the PUBREL is repeated [MQTT-4.3.3-1]. */
  released: boolean
}

export interface Message {
  readonly topic: string
  readonly number: number
  readonly qos: 0 | 1 | 2
  readonly retain?: boolean
}

/** A publisher that keeps to the protocol over lost connections: what is unacknowledged is sent again. */
export class SessionPublisher {
  readonly #clientId: string
  /** Packet identifier to the message, oldest first. */
  readonly #sent = new Map<number, Sent>()
  readonly #queue: Message[] = []
  #lastId = 0
  #client: RawClient | undefined
  /** Numbers that are acknowledged: PUBACK, or PUBCOMP. */
  readonly acknowledged = new Set<number>()
  /** Called with each acknowledgement, before anything else happens. */
  onAcknowledged: () => void = () => undefined

  constructor(clientId: string) {
    this.#clientId = clientId
  }

  /** Connects with its session and repeats what is unacknowledged. */
  async connect(port: number): Promise<void> {
    const client = new RawClient(port)
    client.onPacket = (seen) => {
      this.#take(seen)
    }
    client.afterRead = () => {
      this.#pump()
    }
    await client.logIn({ clientId: this.#clientId, clean: false })
    this.#client = client
    for (const [id, sent] of this.#sent) {
      client.send(sent.released ? ackPacket(PUBREL, id) : packetOf(sent, { id, dup: true }))
    }
    this.#pump()
  }

  publish(messages: readonly Message[]): void {
    this.#queue.push(...messages)
    this.#pump()
  }

  /** Nothing waits and nothing is on the way. */
  get isDone(): boolean {
    return this.#queue.length === 0 && this.#sent.size === 0
  }

  destroy(): void {
    this.#client?.destroy()
  }

  #pump(): void {
    const client = this.#client
    if (client?.isOpen !== true) return
    const packets: Buffer[] = []
    while (this.#sent.size < WINDOW) {
      const message = this.#queue.shift()
      if (message === undefined) break
      const { qos, topic, number, retain = false } = message
      if (qos === 0) packets.push(packetOf({ topic, number, retain, qos }, { id: 0, dup: false }))
      else {
        const id = (this.#lastId = (this.#lastId % 65_535) + 1)
        const sent: Sent = { topic, number, qos, retain, released: false }
        this.#sent.set(id, sent)
        packets.push(packetOf(sent, { id, dup: false }))
      }
    }
    client.send(...packets)
  }

  #take(seen: Seen): void {
    if (seen.type !== PUBACK && seen.type !== PUBREC && seen.type !== PUBCOMP) return
    const id = idOf(seen)
    const sent = this.#sent.get(id)
    if (sent === undefined) return
    if (seen.type === PUBREC) {
      sent.released = true
      this.#client?.send(ackPacket(PUBREL, id))
      return
    }
    this.#sent.delete(id)
    this.acknowledged.add(sent.number)
    this.onAcknowledged()
  }
}

function packetOf(
  { topic, number, qos, retain }: { topic: string; number: number; qos: 0 | 1 | 2; retain: boolean },
  { id, dup }: { id: number; dup: boolean },
): Buffer {
  const payload = Buffer.alloc(NUMBER_BYTES)
  payload.writeUInt32BE(number)
  return publishPacket({ topic, payload, qos, retain, dup, id })
}
