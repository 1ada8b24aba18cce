import type { BrokerLimits } from './limits.ts'
import type { BrokerLog } from './log.ts'

export type Bound = keyof BrokerLimits

/** Of each bound one line is logged in this time, with how often it was met since. */
const LOG_EVERY_MS = 10_000

interface Tally {
  /** Since the start. */
  total: number
  /** Since the last line. */
  untold: number
  toldAt: number
  /** Who met it last: a client id or an address; empty where nobody in particular did. */
  who: string
}

/** Counts how often each bound was met, and logs it at a rate that no flood can raise. */
export class Bounds {
  readonly #limits: BrokerLimits
  readonly #log: BrokerLog
  readonly #now: () => number
  readonly #tallies: ReadonlyMap<Bound, Tally>

  constructor(limits: BrokerLimits, log: BrokerLog, now = () => performance.now()) {
    this.#limits = limits
    this.#log = log
    this.#now = now
    const names = Object.keys(limits) as Bound[]
    this.#tallies = new Map(names.map((name) => [name, { total: 0, untold: 0, toldAt: -Infinity, who: '' }]))
  }

  /** `times` = messages, connections, filters: whatever was dropped, turned away or made to wait. */
  met(bound: Bound, who = '', times = 1): void {
    const tally = this.#tallies.get(bound)
    if (tally === undefined || times === 0) return
    tally.total += times
    tally.untold += times
    tally.who = who
  }

  /** How often since the start. */
  total(bound: Bound): number {
    return this.#tallies.get(bound)?.total ?? 0
  }

  totals(): (readonly [Bound, number])[] {
    return [...this.#tallies].map(([bound, { total }]) => [bound, total])
  }

  /** Logs what was met and not told. To be called often: meeting a bound must cost nothing but the counting. */
  report(): void {
    const now = this.#now()
    for (const [bound, tally] of this.#tallies) {
      if (tally.untold === 0 || now - tally.toldAt < LOG_EVERY_MS) continue
      const { untold: times, who } = tally
      tally.toldAt = now
      tally.untold = 0
      this.#log.warn({ bound, limit: this.#limits[bound], times, last: who }, 'a bound of the broker was met')
    }
  }
}
