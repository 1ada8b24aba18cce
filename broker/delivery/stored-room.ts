import type { Dropped } from '../persistence/index.ts'

/** What a row takes beside its payload and topic, bytes: its key, its columns, its part of a page. */
const ROW_BYTES = 128
/** So much of the whole is given up at once, so that not each message looks for the fullest queue. */
const GIVEN_UP_PART = 1 / 64

/** A queue that gives way. */
export interface Giving {
  /** Payloads and topics. */
  readonly bytes: number
  /** Drops its oldest messages until so much has gone; answers what has. */
  giveWay(needed: Readonly<Dropped>): Readonly<Dropped>
}

/** The room that the queues of all stored sessions share: beyond `bytesMax` the fullest of them gives up its oldest messages. */
export class StoredRoom {
  readonly #bytesMax: number
  readonly #queues: () => Iterable<Giving>
  #bytes = 0
  /** Nothing was to be given up: not looked for again before there is so much. */
  #lookFrom = 0

  constructor(bytesMax: number, queues: () => Iterable<Giving>) {
    this.#bytesMax = bytesMax
    this.#queues = queues
  }

  /** All that is in them, with what rows take. */
  get bytes(): number {
    return this.#bytes
  }

  take(count: number, bytes: number): void {
    this.#bytes += count * ROW_BYTES + bytes
  }

  /** Makes room for a message of this size, as far as there is something to give up. */
  make(size: number): void {
    const over = this.#bytes + size + ROW_BYTES - this.#bytesMax
    if (over <= 0 || this.#bytes < this.#lookFrom) return
    this.#lookFrom = 0
    const part = this.#bytesMax * GIVEN_UP_PART
    let left = Math.max(over, part)
    const fullestFirst = [...this.#queues()].sort((a, b) => b.bytes - a.bytes)
    for (const queue of fullestFirst) {
      const { count, bytes } = queue.giveWay({ count: 0, bytes: left })
      left -= count * ROW_BYTES + bytes
      if (left <= 0) return
    }
    // What is left is under way, or not on the disk yet.
    this.#lookFrom = this.#bytes + part
  }
}
