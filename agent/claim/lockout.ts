/** Wrong proofs that cost nothing but their count. */
export const TRIES_MAX = 5
const LOCK_MS_FIRST = 60_000
const LOCK_MS_MAX = 24 * 3_600_000

/**
 * How long nobody may try after so many wrong proofs in a row, ms: none for the first five, then a minute, and twice as
 * long after each further one, a day at most.
 */
export function lockMsAfter(failures: number): number {
  if (failures < TRIES_MAX) return 0
  return Math.min(LOCK_MS_MAX, LOCK_MS_FIRST * 2 ** Math.min(failures - TRIES_MAX, 20))
}
