import type { Subscriber } from '../delivery/subscriber.ts'
import type { Principal } from '../policy.ts'
import type { Dialogue } from './dialogue.ts'

/**
 * A subscriber is waited for only while it takes at least so many messages a second: so nobody is ever held below that
 * rate, and a slow one holds nobody up.
 */
const FAST_PER_SECOND = 5_000
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

  /** Called for each subscriber for which a message of this publisher is being stored. */
  consider(publisher: Dialogue<P>, subscriber: Subscriber<P>): void {
    if (!subscriber.isBehind || this.#paused.has(publisher) || !this.#seemsFast(subscriber)) return
    this.#paused.add(publisher)
    publisher.connection.hold('pace')
    const until = this.#now() + PAUSE_MS
    const look = setInterval(() => {
      const waits = publisher.connection.isOpen && this.#now() < until
      if (waits && subscriber.isBehind && this.#seemsFast(subscriber)) return
      clearInterval(look)
      this.#paused.delete(publisher)
      publisher.connection.release('pace')
    }, LOOK_MS)
    look.unref()
  }

  /** Called for each subscriber that was given a message: only what is on the disk can have been taken. */
  judge(subscriber: Subscriber<P>): void {
    if (!subscriber.isBehind) return
    const now = this.#now()
    const { taken } = subscriber
    const last = this.#samples.get(subscriber)
    const elapsed = last === undefined ? Number.POSITIVE_INFINITY : now - last.at
    if (last !== undefined && elapsed < SAMPLE_MS) return
    // Of one that was not looked at for long nothing is known; a first look is kind.
    const isKnown = last !== undefined && elapsed <= 4 * SAMPLE_MS
    const isFast = !isKnown || (taken - last.taken) * 1_000 >= FAST_PER_SECOND * elapsed
    this.#samples.set(subscriber, { at: now, taken, isFast })
  }

  #seemsFast(subscriber: Subscriber<P>): boolean {
    const last = this.#samples.get(subscriber)
    return last === undefined || last.isFast || this.#now() - last.at > 4 * SAMPLE_MS
  }
}
