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
export const REFUSALS = Object.keys(REASONS) as Refusal[]

interface Tally {
  /** Since the last line that was logged. */
  untold: number
  toldAtMs: number
}

export interface RefusalsOptions {
  readonly listener: string
  readonly log: BrokerLog
  /** Told of each one. */
  readonly onRefused: (refusal: Refusal) => void
  readonly now?: () => number
}

/** Logs what a listener refuses at a rate that a flood of strangers cannot raise. */
export class Refusals {
  readonly #options: RefusalsOptions
  readonly #tallies = new Map<Refusal, Tally>()

  constructor(options: RefusalsOptions) {
    this.#options = options
  }

  note(refusal: Refusal, detail: { readonly remote: string; readonly reason?: string }): void {
    const { listener, log, onRefused, now: clock = () => performance.now() } = this.#options
    onRefused(refusal)
    const tally = this.#tallies.get(refusal) ?? { untold: 0, toldAtMs: -Infinity }
    this.#tallies.set(refusal, tally)
    tally.untold += 1
    const now = clock()
    if (now - tally.toldAtMs < REFUSAL_LOG_EVERY_MS) return
    const { untold: times } = tally
    tally.toldAtMs = now
    tally.untold = 0
    log.warn({ listener, ...detail, times }, REASONS[refusal])
  }
}
