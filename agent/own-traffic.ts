import type { Claim, OwnTraffic } from './cellular/index.ts'

/** A ping and its answer with acknowledgements, TLS, TCP and IP, bytes (metering.md, 5.3). */
const PING_CYCLE_BYTES = 204n
/** Of which the socket itself counts: two bytes each way. */
const PING_SOCKET_BYTES = 4n

/** What the connections to the cloud have used since the start, and the address that they go by now; null = none is open. */
export interface ConnectionTotals {
  readonly bytes: number
  readonly pings: number
  readonly localAddress: string | null
}

interface OwnTrafficParts {
  readonly totals: () => ConnectionTotals
  /** What the messages carried since this was asked last. */
  readonly claims: () => readonly Claim[]
  /** The interface with this address; null where none has it (any more). */
  readonly interfaceOf: (address: string) => string | null
}

/**
 * What the connections to the cloud have used, by the interface that each of them went by. What a connection used stays its
 * interface's after it was closed, and after the interface has lost the address: somebody's readings went that way.
 */
export class OwnTrafficMeter {
  readonly #parts: OwnTrafficParts
  /** Up to where it is under an interface. */
  #settled = { bytes: 0n, pings: 0n }
  #address: string | null = null
  #iface: string | null = null
  #used = new Map<string, OwnTraffic>()

  constructor(parts: OwnTrafficParts) {
    this.#parts = parts
  }

  /** To be called while a connection is open, before what it carries is counted. */
  look(): void {
    const { localAddress } = this.#parts.totals()
    if (localAddress === null || (localAddress === this.#address && this.#iface !== null)) return
    // What was used before the first interface was known went by that one.
    if (this.#iface !== null) this.#settle()
    this.#address = localAddress
    this.#iface = this.#parts.interfaceOf(localAddress)
  }

  /** By interface, since this was asked last; what went by none that is known is in none. */
  take(): ReadonlyMap<string, OwnTraffic> {
    this.look()
    this.#settle()
    const used = this.#used
    this.#used = new Map()
    return used
  }

  #settle(): void {
    const totals = this.#parts.totals()
    const now = { bytes: BigInt(totals.bytes), pings: BigInt(totals.pings) }
    const [bytes, pings] = [now.bytes - this.#settled.bytes, now.pings - this.#settled.pings]
    this.#settled = now
    const claims = this.#parts.claims()
    if (this.#iface === null || (bytes === 0n && claims.length === 0)) return
    const payload = claims.reduce((sum, claim) => sum + claim.payload, 0n)
    const rest = bytes - payload - pings * PING_SOCKET_BYTES
    const before = this.#used.get(this.#iface) ?? { claims: [], protocol: 0n, idle: 0n }
    this.#used.set(this.#iface, {
      claims: [...before.claims, ...claims],
      protocol: before.protocol + (rest > 0n ? rest : 0n),
      idle: before.idle + pings * PING_CYCLE_BYTES,
    })
  }
}
