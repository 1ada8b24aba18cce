import type { CommitWriter, TrafficDelta } from '../persistence/index.ts'

/** Where the counts go, and whose a topic is. */
export interface TrafficSink {
  /** Whose topic it is; remembered, so the same for the same topic until `forgetOwners`. */
  ownerOf(topic: string): string
  /** Told of each message, repeats and refused ones not included. */
  onTraffic?(packet: MeteredPacket & { readonly direction: 'in' | 'out' }): void
  /** Called within the transaction that stores the messages; may be called again with the same if it fails. */
  write(deltas: readonly Readonly<TrafficDelta>[]): void
}

/** `held` = it was counted before and came again. */
export type Received = 'new' | 'held' | 'refused'

interface MeteredPacket {
  readonly topic: string
  readonly bytes: number
}

const OWNERS_REMEMBERED_MAX = 4_096

/**
 * Counts messages and bytes per principal and owner of the topic, and hands them to the sink in the very transaction
 * that holds the messages.
 */
export class Traffic {
  readonly #sink: TrafficSink
  readonly #writer: CommitWriter
  readonly #deltas = new Map<string, TrafficDelta>()
  readonly #owners = new Map<string, string>()
  #isAwake = false

  constructor(sink: TrafficSink, writer: CommitWriter) {
    this.#sink = sink
    this.#writer = writer
    writer.join({ name: 'broker traffic', write: () => this.#write() })
  }

  received(principalId: string, { topic, bytes }: MeteredPacket, how: Received): void {
    const delta = this.#delta(principalId, topic, 'in')
    if (how === 'held') {
      delta.retransmitted += bytes
    } else if (how === 'refused') {
      delta.refused += 1
      delta.refusedBytes += bytes
    } else {
      delta.messages += 1
      delta.bytes += bytes
      this.#sink.onTraffic?.({ topic, bytes, direction: 'in' })
    }
  }

  sent(principalId: string, { topic, bytes }: MeteredPacket, isRepeated: boolean): void {
    const delta = this.#delta(principalId, topic, 'out')
    if (isRepeated) {
      delta.retransmitted += bytes
      return
    }
    delta.messages += 1
    delta.bytes += bytes
    this.#sink.onTraffic?.({ topic, bytes, direction: 'out' })
  }

  /** Topics may have changed their owner. */
  forgetOwners(): void {
    this.#owners.clear()
  }

  #delta(principalId: string, topic: string, direction: 'in' | 'out'): TrafficDelta {
    const owner = this.#ownerOf(topic)
    const key = `${direction}\0${owner}\0${principalId}`
    let delta = this.#deltas.get(key)
    if (delta === undefined) {
      const none = { messages: 0, bytes: 0, retransmitted: 0, refused: 0, refusedBytes: 0 }
      this.#deltas.set(key, (delta = { principalId, owner, direction, ...none }))
    }
    if (!this.#isAwake) {
      this.#isAwake = true
      this.#writer.wake()
    }
    return delta
  }

  #ownerOf(topic: string): string {
    let owner = this.#owners.get(topic)
    if (owner === undefined) {
      if (this.#owners.size >= OWNERS_REMEMBERED_MAX) this.#owners.clear()
      this.#owners.set(topic, (owner = this.#sink.ownerOf(topic)))
    }
    return owner
  }

  #write(): (() => void) | undefined {
    if (this.#deltas.size === 0) return undefined
    this.#sink.write([...this.#deltas.values()])
    return () => {
      // Nothing is counted between the writing and this: a commit runs in one turn.
      this.#deltas.clear()
      this.#isAwake = false
    }
  }
}
