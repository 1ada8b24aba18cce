import type { Subscriber } from '../delivery/subscriber.ts'
import type { Principal } from '../policy.ts'
import type { Dialogue } from './dialogue.ts'

/** A subscriber is waited for only while it takes at least so many messages a second: a slow one holds nobody up. */
const FAST_PER_SECOND = 1_000
/** Its speed is taken over at least so long, ms: a pause of its own, for garbage, makes nobody slow. */
const SAMPLE_MS = 250
/** Longest pause of a publisher's reading for a subscriber, ms. */
const PAUSE_MS = 100
/** How often a pause looks whether it may end, ms. */
const LOOK_MS = 5

interface Sample {
  readonly at: number
  readonly taken: number
  readonly isFast: boolean
}

/**
 * Where a subscriber takes messages fast and yet is behind, its publishers are faster than anything could be: their
 * reading pauses for a moment, so that the subscriber keeps its connection and its messages. Who is slow or frozen is
 * never waited for, and nobody for longer than PAUSE_MS at a time.
 */
export class Pace<P extends Principal> {
  readonly #now: () => number
  readonly #samples = new WeakMap<Subscriber<P>, Sample>()
  readonly #paused = new Set<Dialogue<P>>()

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Called for each subscriber that was given a stored message of this publisher. */
  consider(publisher: Dialogue<P>, subscriber: Subscriber<P>): void {
    if (!subscriber.isBehind || this.#paused.has(publisher) || !this.#isFast(subscriber)) return
    this.#paused.add(publisher)
    publisher.connection.hold('pace')
    const until = this.#now() + PAUSE_MS
    const look = setInterval(() => {
      if (
        publisher.connection.isOpen &&
        subscriber.isBehind &&
        this.#now() < until &&
        this.#isFast(subscriber)
      )
        return
      clearInterval(look)
      this.#paused.delete(publisher)
      publisher.connection.release('pace')
    }, LOOK_MS)
    look.unref()
  }

  #isFast(subscriber: Subscriber<P>): boolean {
    const now = this.#now()
    const { taken } = subscriber
    const last = this.#samples.get(subscriber)
    const elapsed = last === undefined ? Number.POSITIVE_INFINITY : now - last.at
    if (last !== undefined && elapsed < SAMPLE_MS) return last.isFast
    // Of one that was not looked at for long nothing is known; a first look is kind.
    const isFast =
      last === undefined ||
      elapsed > 4 * SAMPLE_MS ||
      (taken - last.taken) * 1000 >= FAST_PER_SECOND * elapsed
    this.#samples.set(subscriber, { at: now, taken, isFast })
    return isFast
  }
}
