const ASKINGS_MAX = 16

interface Asking {
  /** The phone's own nonce. */
  readonly nonceP: string
  /** Monotonic, ms. */
  readonly at: number
}

/** Nonces given out on site, the newest few. Each is good for one proof. */
export class Askings {
  readonly #byNonce = new Map<string, Asking>()

  add(nonceG: string, asking: Asking): void {
    const [oldest] = this.#byNonce.keys()
    if (this.#byNonce.size >= ASKINGS_MAX && oldest !== undefined) this.#byNonce.delete(oldest)
    this.#byNonce.set(nonceG, asking)
  }

  /** Undefined for what was never given out, was used, or was too long ago. */
  take(nonceG: string): Asking | undefined {
    const asking = this.#byNonce.get(nonceG)
    this.#byNonce.delete(nonceG)
    return asking
  }
}
