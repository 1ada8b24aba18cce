import type { Resolution, Value } from '../cloud-sync/contract/index.ts'

/**
 * The value on the channel's decimal grid: the nearest `n * step / 10^digits`, as the double nearest to that decimal.
 * Without a resolution, and for texts, bigints and numbers beyond 2^53 grid steps, the value as it is.
 */
export function quantise(value: Value, resolution: Resolution | null): Value {
  if (resolution === null || typeof value !== 'number') return value
  const { step, digits } = resolution
  const scale = 10 ** digits
  const steps = Math.round((value * scale) / step)
  const scaled = steps * step
  if (!Number.isSafeInteger(scaled)) return value
  // Two exact integers divided once: the nearest double of the decimal. Plus 0 turns -0 into 0.
  return scaled / scale + 0
}
