import type { Clock } from '../clock.ts'
import type { Reading } from '../reading.ts'

/** Readings that may wait in the process for their commit; beyond it the oldest unsent are given up. */
export const WAITING_READINGS_MAX = 10_000
/** Of these, so many may be under way to the parent: what is under way cannot be given up. */
export const SENT_READINGS_MAX = 5_000
export const BATCH_READINGS_MAX = 500
/** A reading waits this long for company, an alarm not at all. */
const COMPANY_MS = 40

export interface OutboxPorts {
  readonly clock: Clock
  send(batch: number, readings: readonly Reading[]): void
}

export interface OutboxCounts {
  readonly readings: number
  readonly waiting: number
  readonly dropped: number
}

/** Gathers readings into batches, keeps count of what was sent and not yet committed, and is bounded. */
export class Outbox {
  readonly #ports: OutboxPorts
  readonly #sent = new Map<number, number>()
  #queue: Reading[] = []
  #sentReadings = 0
  #lastBatch = 0
  #readings = 0
  #dropped = 0
  #cancel: (() => void) | null = null
  #drained: () => void = () => undefined

  constructor(ports: OutboxPorts) {
    this.#ports = ports
  }

  add(readings: readonly Reading[]): void {
    if (readings.length === 0) return
    this.#readings += readings.length
    this.#queue.push(...readings)
    const excess = this.#queue.length + this.#sentReadings - WAITING_READINGS_MAX
    if (excess > 0) {
      this.#queue.splice(0, excess)
      this.#dropped += excess
    }
    if (this.#queue.length >= BATCH_READINGS_MAX || readings.some(({ alarm }) => alarm)) this.flush()
    else
      this.#cancel ??= this.#ports.clock.after(COMPANY_MS, () => {
        this.flush()
      })
  }

  /** The parent has committed this batch. */
  acknowledged(batch: number): void {
    this.#sentReadings -= this.#sent.get(batch) ?? 0
    this.#sent.delete(batch)
    if (this.#cancel === null) this.flush()
    if (this.#sentReadings === 0 && this.#queue.length === 0) this.#drained()
  }

  /** Sends what the window allows. */
  flush(): void {
    this.#cancel?.()
    this.#cancel = null
    for (;;) {
      const size = Math.min(this.#queue.length, BATCH_READINGS_MAX, SENT_READINGS_MAX - this.#sentReadings)
      if (size <= 0) return
      const batch = ++this.#lastBatch
      this.#sent.set(batch, size)
      this.#sentReadings += size
      this.#ports.send(batch, this.#queue.splice(0, size))
    }
  }

  /** Sends all there is; resolves when it is committed. */
  async drain(): Promise<void> {
    this.flush()
    if (this.#sentReadings === 0 && this.#queue.length === 0) return
    await new Promise<void>((resolve) => {
      this.#drained = resolve
    })
  }

  counts(): OutboxCounts {
    return {
      readings: this.#readings,
      waiting: this.#queue.length + this.#sentReadings,
      dropped: this.#dropped,
    }
  }
}
