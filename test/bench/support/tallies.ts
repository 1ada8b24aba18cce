const STEP = Math.log(1.05)
const SMALLEST_MS = 0.01
const SLOTS = 400

/** Times in steps of 5 %, without keeping them. */
export class Latencies {
  readonly #counts = new Uint32Array(SLOTS)
  #count = 0
  #max = 0

  add(ms: number): void {
    const slot = ms <= SMALLEST_MS ? 0 : Math.ceil(Math.log(ms / SMALLEST_MS) / STEP)
    const at = Math.min(slot, SLOTS - 1)
    this.#counts[at] = (this.#counts[at] ?? 0) + 1
    this.#count += 1
    if (ms > this.#max) this.#max = ms
  }

  clear(): void {
    this.#counts.fill(0)
    this.#count = 0
    this.#max = 0
  }

  /** The time that this share of all did not exceed. */
  quantile(share: number): number {
    let left = Math.ceil(this.#count * share)
    for (let slot = 0; slot < SLOTS; slot += 1) {
      left -= this.#counts[slot] ?? 0
      if (left <= 0) return Math.min(this.#max, SMALLEST_MS * Math.exp(slot * STEP))
    }
    return this.#max
  }

  get max(): number {
    return this.#max
  }
}

/** Which numbers of each publisher one subscriber has seen; memory is one bit a number. */
export class Sequence {
  #bits = new Uint8Array(1024)
  #last = -1
  count = 0
  doubled = 0
  disordered = 0

  see(number: number): void {
    const byte = number >> 3
    if (byte >= this.#bits.length) {
      const larger = new Uint8Array(Math.max(byte + 1, this.#bits.length * 2))
      larger.set(this.#bits)
      this.#bits = larger
    }
    const bit = 1 << (number & 7)
    if (((this.#bits[byte] ?? 0) & bit) !== 0) {
      this.doubled += 1
      return
    }
    this.#bits[byte] = (this.#bits[byte] ?? 0) | bit
    this.count += 1
    if (number < this.#last) this.disordered += 1
    else this.#last = number
  }
}
