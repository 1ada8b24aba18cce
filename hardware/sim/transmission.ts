/** Bytes under way on a wire; byte i occupies one character time from `startAt + i * characterMs`. */
export interface Transmission<From> {
  /** Null where nobody sent it: noise. */
  readonly from: From | null
  readonly bytes: Uint8Array
  readonly startAt: number
  readonly endAt: number
  delivered: number
  collided: boolean
}

/** How many of its bytes have wholly passed at `now`. */
export function passedBytes(one: Transmission<unknown>, now: number, characterMs: number): number {
  if (now >= one.endAt) return one.bytes.length
  return Math.max(0, Math.floor((now - one.startAt) / characterMs))
}

/** True where both were on the wire at the same time. */
export function overlap(one: Transmission<unknown>, other: Transmission<unknown>): boolean {
  return one !== other && other.startAt < one.endAt && other.endAt > one.startAt
}

/**
 * Replaces those of `heard` (bytes of `one` from index `from` on) that were sent while `other` was sending.
 * Returns how many.
 */
export function garble(
  heard: Uint8Array,
  one: Transmission<unknown>,
  at: { from: number; characterMs: number; other: Transmission<unknown>; random: () => number },
): number {
  let count = 0
  for (let index = 0; index < heard.length; index += 1) {
    const startAt = one.startAt + (at.from + index) * at.characterMs
    if (at.other.startAt >= startAt + at.characterMs || at.other.endAt <= startAt) continue
    heard[index] = Math.floor(at.random() * 256)
    count += 1
  }
  return count
}

/** Turns over one bit in a share of the bytes. Returns how many. */
export function turnBits(heard: Uint8Array, errorRate: number, random: () => number): number {
  let count = 0
  for (let index = 0; errorRate > 0 && index < heard.length; index += 1) {
    if (random() >= errorRate) continue
    heard[index] = (heard[index] ?? 0) ^ (1 << Math.floor(random() * 8))
    count += 1
  }
  return count
}
