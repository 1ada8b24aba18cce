import type { StoredReading } from '../cloud-sync/contract/index.ts'
import type { PublishedReading } from './published-reading.ts'
import type { CommittedWindow, Store } from './storage/index.ts'

/** A breath between two pages, ms: what waited must not be noticed by those whose readings did not. */
const BETWEEN_PAGES_MS = 20

export interface HeldDeliveryParts {
  readonly store: Store
  publish(readings: readonly PublishedReading[]): Promise<void>
  onPublishFailed(error: unknown): void
  /** With the definition; nothing where the device is another owner's by now. */
  named(reading: StoredReading): PublishedReading[]
}

/**
 * What the local broker gets later because a workspace was over its limit. It waits in the store, not in memory, and
 * comes in the order in which it was stored, a page at a time; until it has, newer readings of the same devices wait
 * behind it. What retention dropped meanwhile was counted there.
 */
export class HeldDelivery {
  readonly #parts: HeldDeliveryParts
  /** Alarms never wait. */
  #alarms = new WeakSet<StoredReading>()
  #draining: Promise<void> | undefined
  #stopped = true
  #held = 0

  constructor(parts: HeldDeliveryParts) {
    this.#parts = parts
  }

  /** Readings that were kept from the local broker since the start. */
  get held(): number {
    return this.#held
  }

  start(): () => void {
    this.#stopped = false
    const stop = this.#parts.store.quota.onTurned(() => {
      this.#drainSoon()
    })
    this.#drainSoon()
    return () => {
      this.#stopped = true
      stop()
    }
  }

  /** Resolves once the page under way is with the broker. */
  async idle(): Promise<void> {
    await this.#draining
  }

  alarm(reading: StoredReading): void {
    this.#alarms.add(reading)
  }

  /** What of a commit goes to the local broker now. */
  passing({ first, readings }: CommittedWindow): readonly StoredReading[] {
    const { quota } = this.#parts.store
    if (!quota.anyWaits) return readings
    const passing = readings.filter((reading) => {
      const device = this.#parts.store.channel(reading.channel)?.device ?? ''
      return this.#alarms.has(reading) || !quota.waits(device, first)
    })
    this.#held += readings.length - passing.length
    return passing
  }

  #drainSoon(): void {
    if (this.#stopped || this.#parts.store.quota.undelivered().length === 0) return
    this.#draining ??= this.#drain().finally(() => {
      this.#draining = undefined
      // It may have been over before the last look.
      if (this.#parts.store.quota.undelivered().length > 0) this.#drainSoon()
    })
  }

  async #drain(): Promise<void> {
    const { store } = this.#parts
    for (;;) {
      const [hold] = store.quota.undelivered()
      if (hold?.delivered == null || this.#stopped) return
      // A later hold of the same device has its own turn.
      const later = store.quota.holds().filter(({ id }) => id > hold.id)
      const { readings, done } = store.readingsSince(
        hold.delivered + 1,
        (device, window) =>
          hold.devices.has(device) &&
          !later.some(({ devices, first }) => devices.has(device) && window >= first),
      )
      await this.#publish(readings)
      // In one turn with the look at the newest window: whatever is committed from now on goes out by itself.
      store.quota.delivered(hold.id, done >= store.lastWindow ? null : done)
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_PAGES_MS))
    }
  }

  async #publish(readings: readonly StoredReading[]): Promise<void> {
    const named = readings.flatMap((reading) => this.#parts.named(reading))
    if (named.length === 0) return
    try {
      await this.#parts.publish(named)
    } catch (error) {
      this.#parts.onPublishFailed(error)
    }
  }
}
