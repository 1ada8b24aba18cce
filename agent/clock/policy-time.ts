/** Kept at most this often, ms: so much running time a power cut may take away. */
export const POLICY_TIME_KEPT_EVERY_MS = 60_000

/** What is kept for the next start. */
export interface KeptPolicyTime {
  /** Policy time, epoch ms, when the monotonic clock of that boot showed `monoMs`. */
  readonly at: number
  readonly monoMs: number
  readonly bootId: string
  /** There had been signed time in that boot. */
  readonly signed: boolean
  /** Running time ever counted, ms. */
  readonly runningMs: number
}

interface PolicyTimeParts {
  readonly bootId: string
  /** Monotonic, whole ms. */
  readonly monoMs: () => number
  readonly kept: KeptPolicyTime | null
}

/**
 * The time that policies are judged by: time signed by the cloud plus counted running time, nothing else (decisions.md).
 * The wall clock plays no part, so no jump of it extends a share or ends one. It never goes back, and while the machine is
 * off it stands: that is why a boot is stale until the cloud has signed a time.
 */
export class PolicyTime {
  readonly #bootId: string
  readonly #monoMs: () => number
  #at: number
  #runningMs: number
  /** When the two above were right. */
  #since: number
  #signed: boolean
  /** Signed time from here on was signed in this boot, not recorded in an earlier one and played again. */
  readonly #newFrom: number

  constructor({ bootId, monoMs, kept }: PolicyTimeParts) {
    this.#bootId = bootId
    this.#monoMs = monoMs
    this.#since = monoMs()
    // The monotonic clock of one boot goes on while the process is away.
    const isSameBoot = kept?.bootId === bootId && this.#since >= kept.monoMs
    const meanwhile = isSameBoot ? this.#since - kept.monoMs : 0
    this.#at = (kept?.at ?? 0) + meanwhile
    this.#runningMs = (kept?.runningMs ?? 0) + meanwhile
    this.#signed = isSameBoot && kept.signed
    this.#newFrom = kept === null ? 0 : kept.at + POLICY_TIME_KEPT_EVERY_MS
  }

  /** Policy time as `decide` asks for it. */
  when(): { readonly place: 'gateway'; readonly at: number; readonly signed: boolean } {
    return { place: 'gateway', at: this.#at + this.#monoMs() - this.#since, signed: this.#signed }
  }

  /** Running time ever counted, ms, over all boots: what a right that lasts so long offline is measured with. */
  countedRunningMs(): number {
    return this.#runningMs + this.#monoMs() - this.#since
  }

  /** A verified time of the cloud, epoch ms. However late it comes, it was signed before, so it is a lower bound. */
  learn(signedMs: number): void {
    if (signedMs >= this.#newFrom) this.#signed = true
    this.atLeast(signedMs)
  }

  /** It is not earlier than this, epoch ms; whether time was signed in this boot is another question. */
  atLeast(ms: number): void {
    const { at } = this.when()
    if (ms > at) this.#moveTo(ms)
  }

  /**
   * The root key began a new generation and this is its time, epoch ms. Only so does policy time ever go back: a cloud
   * whose clock was years ahead would otherwise have ended every share for those years.
   */
  beginAnew(signedMs: number): void {
    this.#moveTo(signedMs)
    this.#signed = true
  }

  keep(): KeptPolicyTime {
    const monoMs = this.#monoMs()
    return {
      at: this.#at + monoMs - this.#since,
      monoMs,
      bootId: this.#bootId,
      signed: this.#signed,
      runningMs: this.countedRunningMs(),
    }
  }

  #moveTo(at: number): void {
    const monoMs = this.#monoMs()
    this.#runningMs += monoMs - this.#since
    this.#since = monoMs
    this.#at = at
  }
}
