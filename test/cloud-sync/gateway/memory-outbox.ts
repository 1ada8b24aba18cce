import { type Ack, type Epoch, STREAMS, type Stream } from '../../../cloud-sync/contract/index.ts'
import type { Outbox, StoredBatch } from '../../../cloud-sync/gateway/index.ts'

interface Kept {
  readonly items: string[]
  readonly batches: StoredBatch[]
  next: number
  acknowledged: number
}

/** What an outbox is, without a disk. Items of `usage` and `evt` are numbered each, readings by the batch. */
export class MemoryOutbox implements Outbox {
  readonly #epoch: Epoch
  readonly #itemsTogether: number
  readonly #kept = new Map<Stream, Kept>()
  readonly #listeners = new Set<(stream: Stream) => void>()

  constructor(epoch: Epoch, itemsTogether = 3) {
    this.#epoch = epoch
    this.#itemsTogether = itemsTogether
    for (const stream of STREAMS) this.#kept.set(stream, { items: [], batches: [], next: 1, acknowledged: 0 })
  }

  add(stream: Stream, ...items: string[]): void {
    this.#of(stream).items.push(...items)
    for (const listener of this.#listeners) listener(stream)
  }

  /** True where everything was acknowledged. */
  get isEmpty(): boolean {
    return STREAMS.every((stream) => {
      const { items, batches } = this.#of(stream)
      return items.length === 0 && batches.length === 0
    })
  }

  next(stream: Stream, after: number): Promise<StoredBatch | undefined> {
    const kept = this.#of(stream)
    const made = kept.batches.find(({ first }) => first > after)
    if (made !== undefined) return Promise.resolve(made)
    const items = kept.items.splice(0, this.#itemsTogether)
    if (items.length === 0) return Promise.resolve(undefined)
    const isNumberedEach = stream === 'usage' || stream === 'evt'
    const first = kept.next
    const last = isNumberedEach ? first + items.length - 1 : first
    kept.next = last + 1
    const body = new TextEncoder().encode(JSON.stringify({ first, last, epoch: this.#epoch, items }))
    const batch: StoredBatch = { stream, epoch: this.#epoch, first, last, body }
    kept.batches.push(batch)
    return Promise.resolve(batch)
  }

  acknowledge(stream: Stream, ack: Ack): Promise<void> {
    const kept = this.#of(stream)
    if (ack.epoch === this.#epoch) {
      kept.acknowledged = Math.max(kept.acknowledged, ack.upTo)
      const left = kept.batches.filter(({ last }) => last > kept.acknowledged)
      kept.batches.splice(0, kept.batches.length, ...left)
    }
    return Promise.resolve()
  }

  streams(): ReturnType<Outbox['streams']> {
    return Object.fromEntries(
      STREAMS.map((stream) => {
        const { next, acknowledged } = this.#of(stream)
        return [stream, { epoch: this.#epoch, next, oldest: acknowledged + 1, parent: null }]
      }),
    )
  }

  onWaiting(listener: (stream: Stream) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  #of(stream: Stream): Kept {
    const kept = this.#kept.get(stream)
    if (kept === undefined) throw new Error(`no stream ${stream}`)
    return kept
  }
}
