const WINDOW_MS = 60_000
/** Askings of one address that nobody else's use up. */
const FREE = 5
/** Addresses that are told apart in one window; beyond it they share one count, so that a flood costs no memory. */
const ADDRESSES_MAX = 1_000

/**
 * Bounds what costs a signature and needs no login. Each address has a count of its own, so that a stranger who floods
 * does not turn away who stands at the gateway; what all ask together is bounded too, but never the first few of one.
 */
export class Askings {
  readonly #each: number
  readonly #all: number
  readonly #monoMs: () => number
  #since = -Infinity
  #total = 0
  readonly #byAddress = new Map<string, number>()

  /** `each`, `all`: in one minute, of one address and of all together; `monoMs`: monotonic, ms. */
  constructor({ each, all, monoMs }: { each: number; all: number; monoMs: () => number }) {
    this.#each = each
    this.#all = all
    this.#monoMs = monoMs
  }

  /** Counts one; whether it is let through. */
  take(address: string): boolean {
    const now = this.#monoMs()
    if (now - this.#since >= WINDOW_MS) {
      this.#since = now
      this.#total = 0
      this.#byAddress.clear()
    }
    const isApart = this.#byAddress.has(address) || this.#byAddress.size < ADDRESSES_MAX
    const name = isApart ? address : ''
    const count = (this.#byAddress.get(name) ?? 0) + 1
    this.#byAddress.set(name, count)
    if (count <= FREE) return true
    if (count > this.#each) return false
    this.#total += 1
    return this.#total <= this.#all
  }
}
