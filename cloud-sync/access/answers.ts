import type { Decision } from './question.ts'

/** Answers remembered at most; then all are forgotten. A gateway has a few thousand different questions. */
const ANSWERS_MAX = 250_000
const SLOTS_AT_FIRST = 1_024
/** Of the slots; fuller, a search grows long. */
const FULL_SHARE = 0.625
/** Numbers of questions beyond it are not remembered: no policy that fits on a gateway has so many. */
const KEY_MAX = 2 ** 32 - 2

/**
 * Answers by the number of their question. One flat table with open addressing, kept small: equal decisions are kept
 * once. An answer is then two near reads of memory away, where a Map needs four or five.
 */
export class Answers {
  /** One above the number of the question; 0 where there is none. */
  #keys = new Uint32Array(SLOTS_AT_FIRST)
  /** Places in the list of different decisions. */
  #places = new Uint32Array(SLOTS_AT_FIRST)
  readonly #decisions: Decision[] = []
  readonly #placeOf = new Map<string, number>()
  #count = 0

  get(question: number): Decision | undefined {
    const slot = slotOf(this.#keys, question + 1)
    return this.#keys[slot] === 0 ? undefined : this.#decisions[this.#places[slot] ?? 0]
  }

  set(question: number, decision: Decision): void {
    if (question > KEY_MAX) return
    if (this.#count >= ANSWERS_MAX) this.clear()
    if (this.#count >= this.#keys.length * FULL_SHARE) this.#grow()
    const slot = slotOf(this.#keys, question + 1)
    if (this.#keys[slot] === 0) this.#count += 1
    this.#keys[slot] = question + 1
    this.#places[slot] = this.#placeFor(decision)
  }

  clear(): void {
    this.#keys.fill(0)
    this.#decisions.length = 0
    this.#placeOf.clear()
    this.#count = 0
  }

  #placeFor(decision: Decision): number {
    const text = decision.allowed ? decision.via.join('\n') : `!${decision.because}`
    const known = this.#placeOf.get(text)
    if (known !== undefined) return known
    this.#placeOf.set(text, this.#decisions.length)
    return this.#decisions.push(decision) - 1
  }

  #grow(): void {
    const [keys, places] = [this.#keys, this.#places]
    this.#keys = new Uint32Array(keys.length * 2)
    this.#places = new Uint32Array(keys.length * 2)
    for (const [at, key] of keys.entries()) {
      if (key === 0) continue
      const slot = slotOf(this.#keys, key)
      this.#keys[slot] = key
      this.#places[slot] = places[at] ?? 0
    }
  }
}

/** Where the key is, or where it would be. There is always an empty slot. */
function slotOf(keys: Uint32Array, key: number): number {
  const last = keys.length - 1
  // Multiplied by an odd constant neighbours come to lie far apart; the best mixed bits are the upper ones.
  const mixed = Math.imul(key, 0x9e3779b1)
  let slot = (mixed ^ (mixed >>> 15)) & last
  for (;;) {
    const there = keys[slot]
    if (there === key || there === 0) return slot
    slot = (slot + 1) & last
  }
}
