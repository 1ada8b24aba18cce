import type { BrokerLog } from '../log.ts'

/** What somebody was refused. */
export interface AuditEvent {
  readonly kind: 'connect' | 'publish' | 'subscribe' | 'will'
  /** Null for a stranger. */
  readonly principalId: string | null
  readonly clientId: string
  readonly remote: string
  /** Topic, filter or reason. */
  readonly what: string
  /** Events like this one (kind and principal or address) that were not told since the last that was. */
  readonly untold: number
}

/** Events of one kind and principal that are told at once, and how long until one more is, ms. */
const BURST = 5
const ONE_MORE_MS = 10_000
/** Kinds and principals that are kept apart; beyond it all are forgotten. */
const TRACKED_MAX = 2_000

interface Tally {
  left: number
  untold: number
  refilledAt: number
}

/** Tells refusals, rate-limited per kind and principal (or address): a flood fills neither log nor disk. */
export class Audit {
  readonly #log: BrokerLog
  readonly #listener: ((event: AuditEvent) => void) | undefined
  readonly #now: () => number
  readonly #tallies = new Map<string, Tally>()
  #untold = 0

  constructor(log: BrokerLog, listener?: (event: AuditEvent) => void, now = () => performance.now()) {
    this.#log = log
    this.#listener = listener
    this.#now = now
  }

  /** Events that were counted but not told. */
  get untold(): number {
    return this.#untold
  }

  refused(event: Omit<AuditEvent, 'untold'>): void {
    const tally = this.#tally(`${event.kind}\0${event.principalId ?? addressOf(event.remote)}`)
    if (tally.left < 1) {
      tally.untold += 1
      this.#untold += 1
      return
    }
    tally.left -= 1
    const told = { ...event, untold: tally.untold }
    tally.untold = 0
    this.#log.warn({ ...told }, `${event.kind} refused`)
    this.#listener?.(told)
  }

  #tally(key: string): Tally {
    const now = this.#now()
    let tally = this.#tallies.get(key)
    if (tally === undefined) {
      if (this.#tallies.size >= TRACKED_MAX) this.#tallies.clear()
      this.#tallies.set(key, (tally = { left: BURST, untold: 0, refilledAt: now }))
    }
    const more = Math.floor((now - tally.refilledAt) / ONE_MORE_MS)
    if (more > 0) {
      tally.left = Math.min(BURST, tally.left + more)
      tally.refilledAt += more * ONE_MORE_MS
    }
    return tally
  }
}

const addressOf = (remote: string): string => remote.replace(/:\d+$/, '')
