/** Think times remembered for one device. */
const SAMPLES_MAX = 64
/** Fewer say too little. A mistake costs one second try, which waits as long as the profile allows. */
const SAMPLES_MIN = 4
const PERCENTILE = 0.99
const SAFETY = 2
/** Below this, a USB adapter's latency timer and a busy gateway would look like silence. */
const FLOOR_MS = 100

/** How long one device takes to begin its answers; immutable. */
export interface ThinkTimes {
  readonly samplesMs: readonly number[]
}

export const NO_THINK_TIMES: ThinkTimes = { samplesMs: [] }

/** `tookMs` is from the request's last byte to the answer's last byte, `rxMs` the answer's own time on the wire. */
export function withAnswer(times: ThinkTimes, tookMs: number, rxMs: number): ThinkTimes {
  return { samplesMs: [...times.samplesMs.slice(1 - SAMPLES_MAX), Math.max(0, tookMs - rxMs)] }
}

export interface Patience {
  /** From the request's last byte to the answer's last byte, ms. */
  readonly timeoutMs: number
  /** How long after a time-out the answer may still come, ms: this device must not be asked again before. */
  readonly lateMs: number
}

/**
 * How long to wait for an answer. `short`: twice the slow ones so far, as far as any are known. `whole`: what the
 * profile allows; only that tells a dead device from one that became slow.
 */
export function patience(
  times: ThinkTimes,
  limits: { ceilingMs: number; lateMs: number; rxMs: number; kind: 'short' | 'whole' },
): Patience {
  const thinkMs = limits.kind === 'short' ? expectedMs(times, limits.ceilingMs) : limits.ceilingMs
  return { timeoutMs: thinkMs + limits.rxMs, lateMs: limits.ceilingMs - thinkMs + limits.lateMs }
}

function expectedMs(times: ThinkTimes, ceilingMs: number): number {
  if (times.samplesMs.length < SAMPLES_MIN) return ceilingMs
  const sorted = times.samplesMs.toSorted((a, b) => a - b)
  const slow = sorted[Math.ceil(sorted.length * PERCENTILE) - 1] ?? ceilingMs
  return Math.min(ceilingMs, Math.max(FLOOR_MS, slow * SAFETY))
}
