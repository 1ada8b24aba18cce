/** What a bad cable adds. All rates default to none. */
export interface Noise {
  /** Bursts of random bytes that nobody sent, at random moments, per second on average. */
  readonly burstsPerSecond?: number
  /** Longest burst, bytes; default 4. */
  readonly burstBytesMax?: number
  /** Chance that a byte arrives with one bit turned over, 0 to 1. */
  readonly byteErrorRate?: number
}

const BURST_BYTES_MAX = 4

/** The next burst and in how many milliseconds it comes; null where the noise has no bursts. */
export function nextBurst(noise: Noise, random: () => number): { inMs: number; bytes: Uint8Array } | null {
  const perSecond = noise.burstsPerSecond ?? 0
  if (perSecond <= 0) return null
  const length = 1 + Math.floor(random() * (noise.burstBytesMax ?? BURST_BYTES_MAX))
  // Moments without memory: the time to the next is exponential.
  const inMs = (-Math.log(1 - random()) * 1000) / perSecond
  return { inMs, bytes: Uint8Array.from({ length }, () => Math.floor(random() * 256)) }
}
