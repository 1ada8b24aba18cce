import type { AuditEvent } from '../broker/index.ts'
import type { GatewayEvent } from '../cloud-sync/contract/index.ts'

/** Events told at once, and how long until one more is, ms: at most 1,460 a day, whatever strangers do. */
const BURST = 20
const ONE_MORE_MS = 60_000
/** What came from outside is cut to this, characters. */
const TEXT_MAX = 200

interface RefusalsParts {
  readonly recordEvent: (kind: string, detail: GatewayEvent['detail']) => void
  /** Never goes back, ms. */
  readonly now?: () => number
}

/**
 * What the broker refused, as events of the gateway. They share a stream with events that matter more and that must not
 * be crowded out: those beyond the rate are counted in the next one.
 */
export class Refusals {
  readonly #recordEvent: RefusalsParts['recordEvent']
  readonly #now: () => number
  #left = BURST
  #refilledAt: number
  #untold = 0

  constructor({ recordEvent, now = () => performance.now() }: RefusalsParts) {
    this.#recordEvent = recordEvent
    this.#now = now
    this.#refilledAt = now()
  }

  readonly take = (event: AuditEvent): void => {
    const more = Math.floor((this.#now() - this.#refilledAt) / ONE_MORE_MS)
    this.#refilledAt += more * ONE_MORE_MS
    this.#left = Math.min(BURST, this.#left + more)
    this.#untold += event.untold
    if (this.#left === 0) {
      this.#untold += 1
      return
    }
    this.#left -= 1
    const { kind, principalId, clientId, remote, what } = event
    const untold = this.#untold
    this.#untold = 0
    const cut = (text: string): string => text.slice(0, TEXT_MAX)
    this.#recordEvent('mqtt_refused', {
      action: kind,
      principal: principalId === null ? null : cut(principalId),
      client: cut(clientId),
      remote: cut(remote),
      what: cut(what),
      untold,
    })
  }
}
