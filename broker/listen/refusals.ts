import { performance } from 'node:perf_hooks'
import type { BrokerLog } from '../log.ts'
import { REFUSAL_LOG_EVERY_MS } from './limits.ts'

const REASONS = {
  full: 'the listener has as many connections as are allowed',
  crowded: 'more handshakes at one time than are allowed; the longest went',
  slow: 'a handshake was not finished in time',
  tls: 'a TLS handshake failed',
  certificate: 'a client certificate could not be verified',
  upgrade: 'a request was no WebSocket upgrade for MQTT',
  system: 'the system could not take a connection',
  origin: 'a web page of another site',
} as const

/** Why a connection was refused before the broker saw it. */
export type Refusal = keyof typeof REASONS
export type RefusalCounts = Readonly<Record<Refusal, number>>

interface Tally {
  total: number
  /** Since the last line that was logged. */
  untold: number
  toldAtMs: number
}

/** Counts what a listener refuses and logs it at a rate that a flood of strangers cannot raise. */
export class Refusals {
  readonly #log: BrokerLog
  readonly #listener: string
  readonly #now: () => number
  readonly #tallies = new Map<Refusal, Tally>()

  constructor(log: BrokerLog, listener: string, now: () => number = () => performance.now()) {
    this.#log = log
    this.#listener = listener
    this.#now = now
  }

  note(refusal: Refusal, detail: { readonly remote: string; readonly reason?: string }): void {
    const tally = this.#tallies.get(refusal) ?? { total: 0, untold: 0, toldAtMs: -Infinity }
    this.#tallies.set(refusal, tally)
    tally.total += 1
    tally.untold += 1
    const now = this.#now()
    if (now - tally.toldAtMs < REFUSAL_LOG_EVERY_MS) return
    const { untold: times } = tally
    tally.toldAtMs = now
    tally.untold = 0
    this.#log.warn({ listener: this.#listener, ...detail, times }, REASONS[refusal])
  }

  /** How many of each there were. */
  counts(): RefusalCounts {
    const counts = Object.keys(REASONS).map((refusal) => [
      refusal,
      this.#tallies.get(refusal as Refusal)?.total ?? 0,
    ])
    return Object.fromEntries(counts) as RefusalCounts
  }
}
