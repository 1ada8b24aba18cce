/** ModemManager reads a bearer's statistics every 30 s; its word may be that old, and as late again by our own look. */
const STALE_MS_MAX = 75_000
/** Headers that one of the two counts and the other does not. */
const TOLERANCE_PERCENT = 10n
const TOLERANCE_BYTES = 65_536n
/** Looks out of the band in a row before it is called divergence. */
const LOOKS_MIN = 3

/** Two counts of the same link, bytes both ways. */
export interface Pair {
  readonly kernel: bigint
  readonly modem: bigint
}

interface Seen {
  readonly monoMs: number
  readonly kernel: bigint
}

interface Base {
  /** The modem's first word stands for a moment between these two of the kernel. */
  readonly kernelFrom: bigint
  readonly kernelTo: bigint
  readonly modem: bigint
}

/**
 * Compares the kernel's count of a link with the modem's. The kernel's is billed; a modem that counts otherwise means
 * traffic that one of them does not see (hardware offload, a second user of the modem), and somebody should look.
 */
export class Divergence {
  #key: string | undefined
  #base: Base | undefined
  #lastModem = 0n
  #seen: Seen[] = []
  #outside = 0
  #raised = false

  /**
   * One look at both. @param key bearer and generation of the kernel's counter: another one begins anew.
   * @returns what each has counted, once, when they have parted; else null
   */
  look(key: string, monoMs: number, { kernel, modem }: Pair): Pair | null {
    if (this.#key !== key || modem < this.#lastModem) this.#begin(key)
    this.#lastModem = modem
    this.#seen.push({ monoMs, kernel })
    // One look beyond the age stays: the modem's word is not older than that.
    while ((this.#seen[1]?.monoMs ?? monoMs) <= monoMs - STALE_MS_MAX) this.#seen.shift()
    const oldest = this.#seen[0]
    if (oldest === undefined || monoMs - oldest.monoMs < STALE_MS_MAX) return null
    this.#base ??= { kernelFrom: oldest.kernel, kernelTo: kernel, modem }
    const isInside = this.#fits({ kernel, modem }, { base: this.#base, oldest: oldest.kernel })
    return this.#isNews(isInside)
      ? { kernel: kernel - this.#base.kernelTo, modem: modem - this.#base.modem }
      : null
  }

  #isNews(isInside: boolean): boolean {
    this.#outside = isInside ? 0 : this.#outside + 1
    if (isInside) this.#raised = false
    if (this.#outside < LOOKS_MIN || this.#raised) return false
    this.#raised = true
    return true
  }

  #fits({ kernel, modem }: Pair, { base, oldest }: { base: Base; oldest: bigint }): boolean {
    const least = oldest - base.kernelTo
    const most = kernel - base.kernelFrom
    const said = modem - base.modem
    return said >= least - slack(least) && said <= most + slack(most)
  }

  #begin(key: string): void {
    this.#key = key
    this.#base = undefined
    this.#seen = []
    this.#outside = 0
    this.#raised = false
  }
}

const slack = (bytes: bigint): bigint =>
  ((bytes < 0n ? 0n : bytes) * TOLERANCE_PERCENT) / 100n + TOLERANCE_BYTES
