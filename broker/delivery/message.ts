import { encodePublish } from '../wire/index.ts'

export type Qos = 0 | 1 | 2

/** A message on its way to its subscribers. */
export class Message {
  readonly topic: string
  /** As it was published; each subscriber gets it at most at the quality it asked for. */
  readonly qos: Qos
  /** As it was published; a live delivery never has the flag [MQTT-3.3.1-9]. */
  readonly retain: boolean
  #payload: Buffer
  #frame: Buffer | undefined

  constructor(parts: {
    readonly topic: string
    readonly payload: Buffer
    readonly qos: Qos
    readonly retain: boolean
  }) {
    this.topic = parts.topic
    this.#payload = parts.payload
    this.qos = parts.qos
    this.retain = parts.retain
  }

  get payload(): Buffer {
    return this.#payload
  }

  /** It is kept for longer: it must not keep the whole chunk alive that it came in. */
  keep(): void {
    if (this.#payload.buffer.byteLength > this.#payload.length)
      this.#payload = Buffer.from(new Uint8Array(this.#payload).buffer)
  }

  /** The packet of a live delivery at QoS 0: the same bytes for all who get it so. */
  get frame(): Buffer {
    const { topic, payload } = this
    this.#frame ??= encodePublish({ topic, payload, qos: 0, retain: false, dup: false, messageId: 0 })
    return this.#frame
  }

  /** Payload and topic, bytes. */
  get size(): number {
    return this.payload.length + this.topic.length
  }
}
