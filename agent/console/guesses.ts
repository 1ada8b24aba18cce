/** Wrong keys that are free, for one address. */
const FREE_GUESSES = 5
/** The wait after the next one, ms; it doubles with each. */
const WAIT_MS_MIN = 1_000
const WAIT_MS_MAX = 60_000
/** Addresses that are remembered; beyond it the oldest is forgotten, so that a flood costs no memory. */
const ADDRESSES_MAX = 1_000
/** An address that has been quiet for so long starts anew, ms. */
const FORGET_MS = 15 * 60_000

interface Tries {
  readonly wrong: number
  /** Monotonic, ms. */
  readonly at: number
}

/**
 * Slows down whoever tries keys. A key has 256 random bits, so this is not what keeps it safe: it bounds what the trying
 * costs, and a right key is never turned away because of somebody else's address.
 */
export class Guesses {
  readonly #byAddress = new Map<string, Tries>()
  readonly #monoMs: () => number

  constructor(monoMs: () => number) {
    this.#monoMs = monoMs
  }

  /** How long this address has to wait before it is looked at again, ms; 0 = not at all. */
  waitMs(address: string): number {
    const tries = this.#byAddress.get(address)
    if (tries === undefined || tries.wrong < FREE_GUESSES) return 0
    const wait = Math.min(WAIT_MS_MAX, WAIT_MS_MIN * 2 ** (tries.wrong - FREE_GUESSES))
    return Math.max(0, tries.at + wait - this.#monoMs())
  }

  wrong(address: string): void {
    const at = this.#monoMs()
    const before = this.#byAddress.get(address)
    const wrong = before === undefined || at - before.at > FORGET_MS ? 1 : before.wrong + 1
    this.#byAddress.delete(address)
    const [oldest] = this.#byAddress.keys()
    if (this.#byAddress.size >= ADDRESSES_MAX && oldest !== undefined) this.#byAddress.delete(oldest)
    this.#byAddress.set(address, { wrong, at })
  }

  right(address: string): void {
    this.#byAddress.delete(address)
  }
}
