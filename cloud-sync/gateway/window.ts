import type { Ack, Stream } from '../contract/index.ts'
import type { StoredBatch } from './ports.ts'

/** Batches of a stream on their way to the ledger at once. */
const UNACKNOWLEDGED_MAX: Readonly<Record<Stream, number>> = { usage: 4, evt: 4, rd: 8, 'rd/h': 4 }
/** No acknowledgement for this long, ms, while something is on its way. */
const PATIENCE_MS = 30_000
/** A stream that alone stays silent is sent again ever more rarely, up to this, ms: what it sends costs. */
const PATIENCE_MS_MAX = 30 * 60_000

interface OnItsWay {
  readonly first: number
  readonly last: number
}

/**
 * What of one stream is sent and not yet acknowledged on this connection. Sent means nothing: only the ledger's
 * acknowledgement moves `acknowledged`, and a new connection starts from there.
 */
export class Window {
  readonly #most: number
  /** Everything up to here is in the ledger, as far as this process knows. */
  acknowledged = 0
  #cursor = 0
  #onItsWay: OnItsWay[] = []
  #paused = true
  /** The ledger takes no more of this stream on this connection. */
  #refused = false
  #empty = false
  /** Where the cloud last asked to resend from; asked again before anything moved, it is the same question. */
  #wanted: number | undefined
  #wakes = 0
  #quietSince = 0
  #patienceMs = PATIENCE_MS

  constructor(stream: Stream) {
    this.#most = UNACKNOWLEDGED_MAX[stream]
  }

  /** Ask the outbox for the batch after this number. */
  get cursor(): number {
    return this.#cursor
  }

  get unacknowledged(): number {
    return this.#onItsWay.length
  }

  get isReady(): boolean {
    return !this.#paused && !this.#empty && this.#onItsWay.length < this.#most
  }

  /** A new connection: what the outbox knows to be acknowledged. */
  restart(acknowledged: number): void {
    this.acknowledged = acknowledged
    this.#rewind(acknowledged)
    this.#wanted = undefined
    this.#refused = false
    this.#patienceMs = PATIENCE_MS
  }

  /** Until the ledger says where the stream stands. */
  pause(): void {
    this.#paused = true
  }

  /** The ledger kept silent about this stream: what the outbox has is the best guess. */
  resumeUnlessRefused(): void {
    if (!this.#refused) this.#paused = false
  }

  /** Something new waits in the outbox. */
  wake(): void {
    this.#wakes += 1
    this.#empty = false
  }

  /** A ticket for `notedEmpty`: what came in meanwhile must not be overlooked. */
  get wakes(): number {
    return this.#wakes
  }

  notedEmpty(wakes: number): void {
    if (wakes === this.#wakes) this.#empty = true
  }

  /** @param now monotonic, ms */
  sent({ first, last }: StoredBatch, now: number): void {
    if (this.#onItsWay.length === 0) this.#quietSince = now
    this.#onItsWay.push({ first, last })
    this.#cursor = last
  }

  /** Applies a verified acknowledgement of the stream's epoch. `refused` = the ledger takes no more for now. */
  hear(ack: Ack, now: number): 'going-on' | 'refused' {
    this.#acknowledge(ack.upTo, now)
    switch (ack.status) {
      case 'ok':
        this.#paused = false
        this.#refused = false
        return 'going-on'
      case 'gap':
        this.#paused = false
        this.#resendFrom(ack.want ?? ack.upTo + 1)
        return 'going-on'
      case 'fork':
      case 'conflict':
      case 'hold':
      case 'unknown_epoch':
        this.#paused = true
        this.#refused = true
        this.#rewind(this.acknowledged)
        return 'refused'
    }
  }

  /** How long it has been patient in vain, ms (scaled), undefined where it is not yet overdue. */
  overdueMs(now: number, scaled: (ms: number) => number): number | undefined {
    const patience = scaled(this.#patienceMs)
    return this.#onItsWay.length > 0 && now - this.#quietSince >= patience ? scaled(PATIENCE_MS) : undefined
  }

  sendAgain(now: number): void {
    this.#patienceMs = Math.min(this.#patienceMs * 2, PATIENCE_MS_MAX)
    this.#quietSince = now
    this.#rewind(this.acknowledged)
  }

  #acknowledge(upTo: number, now: number): void {
    this.#quietSince = now
    if (upTo <= this.acknowledged) return
    this.acknowledged = upTo
    this.#cursor = Math.max(this.#cursor, upTo)
    this.#onItsWay = this.#onItsWay.filter(({ last }) => last > upTo)
    this.#wanted = undefined
    this.#patienceMs = PATIENCE_MS
    this.wake()
  }

  /** Sends again from `want` on, once: every batch that followed the hole makes the cloud ask. */
  #resendFrom(want: number): void {
    if (want === this.#wanted) return
    this.#wanted = want
    this.acknowledged = Math.min(this.acknowledged, want - 1)
    this.#rewind(want - 1)
  }

  #rewind(cursor: number): void {
    this.#cursor = cursor
    this.#onItsWay = []
    this.wake()
  }
}
