import packets, { type IPublishPacket, type Packet } from 'mqtt-packet'

type Qos = 0 | 1 | 2

/** An answer the broker owes, of the kinds that must keep their own order. */
export interface Answer {
  readonly cmd: 'puback' | 'pubrec' | 'pubcomp' | 'suback' | 'unsuback' | 'pingresp'
  readonly messageId?: number
  readonly granted?: readonly number[]
  /** It may come before what was asked for earlier: nothing says otherwise of PUBCOMP, nor of the PUBREC of a repetition. */
  readonly isLoose?: boolean
}

export interface Plan {
  readonly bytes: Buffer
  readonly answers: readonly Answer[]
}

/** A message the client published to itself. */
interface Sent {
  readonly order: number
  /** Topic, QoS published and QoS delivered: within these the order is kept [MQTT-4.6.0-6]. */
  readonly lane: string
  /** The QoS it must come with; null where no subscription matched. */
  readonly qos: Qos | null
  readonly connection: number
  seenIn: number | null
  /** QoS 2: its PUBREL has come, so it may never come again. */
  isReleased: boolean
  /** It must come sooner or later. */
  isOwed: boolean
}

const FILTERS = ['a', 'b', 'b/c', '+', '#', 'b/+', 'b/#', '+/c', '/x', 'a/#']
const TOPICS = ['a', 'b', 'b/c', '/x', 'b/d/e']
const IDS = 12

/** What one client id may expect of a broker that keeps to MQTT 3.1.1: it publishes to itself and knows all. */
export class SessionModel {
  readonly clientId: string
  readonly #random: () => number
  readonly #filters = new Map<string, Qos>()
  /** Ids of QoS 2 messages that wait for their PUBREL. */
  readonly #held = new Set<number>()
  readonly #sent = new Map<string, Sent>()
  readonly #lastFirst = new Map<string, number>()
  #isStored = false
  #connection = 0
  #published = 0

  constructor(clientId: string, random: () => number) {
    this.clientId = clientId
    this.#random = random
  }

  /** Begins a connection; tells whether the CONNACK must say that a session is present. */
  connect(clean: boolean): boolean {
    const isPresent = !clean && this.#isStored
    if (!isPresent) this.#forget()
    this.#isStored = !clean
    this.#connection += 1
    return isPresent
  }

  /** The connection is over; of a clean session nothing is left. */
  disconnected(): void {
    if (!this.#isStored) this.#forget()
  }

  /** Some steps that are allowed, as bytes, and what they must be answered with. */
  plan(steps: number): Plan {
    const out: Buffer[] = []
    const answers: Answer[] = []
    for (let n = 0; n < steps; n += 1) {
      const [packet, answer] = this.#step()
      out.push(packets.generate(packet))
      if (answer !== null) answers.push(answer)
    }
    return { bytes: Buffer.concat(out), answers }
  }

  /** A subscription and a publish of QoS 1 whose delivery comes after all that is owed. */
  marker(text: string): Plan {
    const topic = `${this.clientId}-marker`
    const subscribe: Packet = { cmd: 'subscribe', messageId: 65_000, subscriptions: [{ topic, qos: 1 }] }
    const publish: Packet = { ...message(topic, text, 1), messageId: 65_001 }
    return {
      bytes: Buffer.concat([packets.generate(subscribe), packets.generate(publish)]),
      answers: [
        { cmd: 'suback', messageId: 65_000, granted: [1] },
        { cmd: 'puback', messageId: 65_001 },
      ],
    }
  }

  /** A publish that comes behind a violation and must never arrive. */
  poison(): Buffer {
    return packets.generate(message(`${this.clientId}/a`, `poison ${this.clientId}`, 0))
  }

  /** What is wrong about a delivery; null where nothing is. */
  delivered({ payload, qos, dup, retain }: IPublishPacket): string | null {
    const text = payload.toString()
    const sent = this.#sent.get(text)
    if (sent === undefined) return `"${text}" was never sent in this session`
    const { seenIn } = sent
    sent.seenIn = this.#connection
    sent.isOwed = false
    if (sent.qos === null) return `"${text}" matches no subscription`
    if (qos !== sent.qos) return `"${text}" came with QoS ${qos}, not ${sent.qos}`
    if (retain) return `"${text}" came with RETAIN`
    if (sent.isReleased) return `"${text}" came again after its PUBREL`
    if (seenIn === null) return this.#first(text, sent, dup)
    if (seenIn === this.#connection) return `"${text}" came twice in one connection`
    return dup ? null : `"${text}" came again without DUP`
  }

  released(text: string): void {
    const sent = this.#sent.get(text)
    if (sent !== undefined) sent.isReleased = true
  }

  /** Texts that should have come by now. */
  missing(): string[] {
    return [...this.#sent].filter(([, { isOwed }]) => isOwed).map(([text]) => text)
  }

  #first(text: string, sent: Sent, dup: boolean): string | null {
    if (dup && sent.connection === this.#connection) return `"${text}" came with DUP the first time`
    const last = this.#lastFirst.get(sent.lane) ?? -1
    this.#lastFirst.set(sent.lane, sent.order)
    return sent.order > last ? null : `"${text}" came after a later one [MQTT-4.6.0-6]`
  }

  #forget(): void {
    this.#filters.clear()
    this.#held.clear()
    this.#sent.clear()
    this.#lastFirst.clear()
  }

  #step(): [Packet, Answer | null] {
    if (this.#filters.size === 0 && this.#random() < 0.5) return this.#subscribe()
    const dice = this.#random()
    if (dice < 0.5) return this.#publish()
    if (dice < 0.65) return this.#release()
    if (dice < 0.83) return this.#subscribe()
    if (dice < 0.92) return this.#unsubscribe()
    return [{ cmd: 'pingreq' }, { cmd: 'pingresp' }]
  }

  #publish(): [Packet, Answer | null] {
    const qos = this.#oneOf<Qos>([0, 1, 2])
    const topic = this.#oneOf(TOPICS)
    const messageId = this.#id()
    if (qos === 2 && this.#held.has(messageId)) {
      const again = { ...message(`${this.clientId}/${topic}`, 'repeated', 2), messageId, dup: true }
      return [again, { cmd: 'pubrec', messageId, isLoose: true }]
    }
    // An id that waits for its PUBREL is in use [MQTT-2.3.1-2].
    const id = this.#held.has(messageId) ? messageId + IDS : messageId
    const text = `${this.clientId} ${this.#published}`
    this.#note(text, topic, qos)
    const packet = message(`${this.clientId}/${topic}`, text, qos)
    if (qos === 0) return [packet, null]
    if (qos === 2) this.#held.add(id)
    return [
      { ...packet, messageId: id },
      { cmd: qos === 1 ? 'puback' : 'pubrec', messageId: id },
    ]
  }

  #note(text: string, topic: string, published: Qos): void {
    const granted = [...this.#filters].filter(([filter]) => matches(filter, topic)).map(([, qos]) => qos)
    const qos = granted.length === 0 ? null : (Math.min(published, Math.max(...granted)) as Qos)
    this.#sent.set(text, {
      order: this.#published++,
      lane: `${topic} ${published} ${qos}`,
      qos,
      connection: this.#connection,
      seenIn: null,
      isReleased: false,
      isOwed: (qos ?? 0) > 0,
    })
  }

  #release(): [Packet, Answer] {
    const messageId = this.#held.size > 0 ? this.#oneOf([...this.#held]) : this.#id()
    this.#held.delete(messageId)
    return [
      { cmd: 'pubrel', messageId },
      { cmd: 'pubcomp', messageId, isLoose: true },
    ]
  }

  #subscribe(): [Packet, Answer] {
    const messageId = this.#id()
    const chosen = Array.from({ length: 1 + Math.floor(this.#random() * 3) }, () => ({
      filter: this.#oneOf(FILTERS),
      qos: this.#oneOf<Qos>([0, 1, 2]),
      isShared: this.#random() < 0.1,
    }))
    const subscriptions = chosen.map(({ filter, qos, isShared }) => ({
      topic: `${isShared ? '$share/g/' : ''}${this.clientId}/${filter}`,
      qos,
    }))
    for (const { filter, qos, isShared } of chosen) if (!isShared) this.#filters.set(filter, qos)
    const granted = chosen.map(({ qos, isShared }) => (isShared ? 0x80 : qos))
    return [
      { cmd: 'subscribe', messageId, subscriptions },
      { cmd: 'suback', messageId, granted },
    ]
  }

  #unsubscribe(): [Packet, Answer] {
    const messageId = this.#id()
    const filter = this.#oneOf(FILTERS)
    this.#filters.delete(filter)
    const unsubscriptions = [`${this.clientId}/${filter}`, `${this.clientId}/never`]
    return [
      { cmd: 'unsubscribe', messageId, unsubscriptions },
      { cmd: 'unsuback', messageId },
    ]
  }

  #id(): number {
    return 1 + Math.floor(this.#random() * IDS)
  }

  #oneOf<T>(list: readonly T[]): T {
    const one = list[Math.floor(this.#random() * list.length)]
    if (one === undefined) throw new Error('nothing to choose from')
    return one
  }
}

const message = (topic: string, text: string, qos: Qos): IPublishPacket => ({
  cmd: 'publish',
  topic,
  payload: Buffer.from(text),
  qos,
  retain: false,
  dup: false,
})

/** Section 4.7, written for itself: the broker's own way is what is tested. */
function matches(filter: string, topic: string): boolean {
  const pattern = filter
    .split('/')
    .map((level) => (level === '+' ? '[^/]*' : level))
    .join('/')
  if (pattern === '#') return true
  return new RegExp(`^${pattern.replace(/\/#$/, '(/.*)?')}$`).test(topic)
}
