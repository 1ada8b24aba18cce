import { connectAsync, type MqttClient } from 'mqtt'
import {
  decodeWant,
  keyIdOf,
  openMessage,
  sealAck,
  type SigningKey,
  sha256,
  shardOf,
} from '../../../cloud-sync/codec/index.ts'
import {
  type Ack,
  downTopic,
  Epoch,
  type GatewayId,
  GatewayStatus,
  type Hash,
  parseLinkTopic,
  type PolicyWant,
  type Stream,
  STREAMS,
  ZERO_HASH,
} from '../../../cloud-sync/contract/index.ts'

interface Posted {
  epoch: Epoch
  upTo: number
  head: Hash
  readonly items: string[]
  /** Every batch by its first number. */
  readonly bodies: Map<number, string>
}

/** A ledger that remembers everything and posts once, as `cloud-sync/cloud` does. */
export class RecordingCloud {
  readonly #gateway: GatewayId
  readonly #gatewayKey: string
  readonly #cloudId: string
  readonly #posted = new Map<Stream, Posted>()
  #client: MqttClient | undefined
  #serverTime = 1_790_000_000_000
  key: SigningKey
  readonly statuses: GatewayStatus[] = []
  readonly wants: PolicyWant[] = []
  readonly faults: string[] = []
  /** Streams in the order their batches came, repeats included. */
  readonly arrivals: Stream[] = []
  repeats = 0
  /** Posts, but says nothing. */
  isMute = false
  /** Sees nothing of these batches, by stream and first number. */
  readonly overlooks = new Set<string>()
  /** Sent when policy is asked for. */
  snapshot: Uint8Array | undefined

  constructor(options: { gateway: GatewayId; gatewayKey: string; cloudId: string; key: SigningKey }) {
    this.#gateway = options.gateway
    this.#gatewayKey = options.gatewayKey
    this.#cloudId = options.cloudId
    this.key = options.key
  }

  async start(url: string, ca?: string): Promise<void> {
    const tls = ca === undefined ? {} : { ca }
    this.#client = await connectAsync(url, { ...tls, clientId: 'recording-cloud', protocolVersion: 4 })
    this.#client.on('message', (topic, payload) => {
      this.#take(topic, payload)
    })
    await this.#client.subscribeAsync(`hg1/${shardOf(this.#gateway)}/+/up/#`, { qos: 1 })
  }

  async stop(): Promise<void> {
    await this.#client?.endAsync(true)
  }

  items(stream: Stream): readonly string[] {
    return this.#posted.get(stream)?.items ?? []
  }

  acknowledge(stream: Stream, change: Partial<Ack> = {}, key = this.key): void {
    const { epoch, upTo, head } = this.#of(stream)
    this.#serverTime += 1
    const ack: Ack = { epoch, upTo, hash: head, status: 'ok', serverTime: this.#serverTime, ...change }
    this.send(`ack/${stream}`, sealAck({ stream, gateway: this.#gateway, ack, key }))
  }

  send(kind: Parameters<typeof downTopic>[2], payload: Uint8Array, retain = false): void {
    this.#client?.publish(downTopic(shardOf(this.#gateway), this.#gateway, kind), Buffer.from(payload), {
      qos: 1,
      retain,
    })
  }

  #of(stream: Stream): Posted {
    const known = this.#posted.get(stream)
    if (known !== undefined) return known
    const fresh: Posted = {
      epoch: Epoch.parse('0'.repeat(32)),
      upTo: 0,
      head: ZERO_HASH,
      items: [],
      bodies: new Map(),
    }
    this.#posted.set(stream, fresh)
    return fresh
  }

  #take(topic: string, payload: Uint8Array): void {
    const parsed = parseLinkTopic(topic)
    if (parsed?.direction !== 'up') return
    if (parsed.kind === 'status') {
      this.#takeStatus(GatewayStatus.parse(JSON.parse(Buffer.from(payload).toString())))
      return
    }
    const kind = parsed.kind === 'pol' ? 'want' : (parsed.kind as Stream)
    const id = keyIdOf(this.#gatewayKey)
    const opened = openMessage({
      kind,
      recipient: this.#cloudId,
      message: payload,
      publicKeyFor: (asked) => (asked === id ? this.#gatewayKey : undefined),
    })
    if (!opened.ok) {
      this.faults.push(`${topic}: ${opened.because}`)
      return
    }
    if (kind === 'want') this.#takeWant(decodeWant(opened.body))
    else this.#takeBatch(kind, Buffer.from(opened.body).toString())
  }

  #takeStatus(status: GatewayStatus): void {
    this.statuses.push(status)
    for (const stream of STREAMS) {
      const announced = status.streams?.[stream]
      if (announced === undefined) continue
      this.#of(stream).epoch = announced.epoch
      if (!this.isMute) this.acknowledge(stream)
    }
  }

  #takeWant(want: PolicyWant): void {
    this.wants.push(want)
    if (want.want && this.snapshot !== undefined) this.send('pol/d', this.snapshot)
  }

  #takeBatch(stream: Stream, body: string): void {
    const batch = JSON.parse(body) as { first: number; last: number; epoch: Epoch; items: string[] }
    if (this.overlooks.delete(`${stream} ${String(batch.first)}`)) return
    this.arrivals.push(stream)
    const posted = this.#of(stream)
    posted.epoch = batch.epoch
    if (batch.first > posted.upTo + 1) {
      if (!this.isMute) this.acknowledge(stream, { status: 'gap', want: posted.upTo + 1 })
      return
    }
    if (batch.first <= posted.upTo) {
      this.repeats += 1
      if (posted.bodies.get(batch.first) !== body)
        this.faults.push(`${stream} ${String(batch.first)} differs`)
    } else {
      posted.bodies.set(batch.first, body)
      posted.items.push(...batch.items)
      posted.upTo = batch.last
      posted.head = sha256(Buffer.from(body))
    }
    if (!this.isMute) this.acknowledge(stream)
  }
}
