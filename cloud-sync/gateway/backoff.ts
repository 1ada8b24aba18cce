/** Longest wait before the first try after a loss, ms: a cloud that restarts meets its gateways spread over this. */
const FIRST_DELAY_MS_MAX = 5_000
/** Longest wait after the third failure in a row, where nothing else is configured, ms. */
const DELAY_MS_MAX = 120_000
const FAILURES_AT_MAX = 3
/** A link that held this long, ms, was a good one: the next loss starts over. */
export const STABLE_MS = 60_000

/**
 * How long to wait before connecting again, ms, with full jitter: 0 to 5 s after the first loss, doubling, 0 to the
 * longest after three failures, and never beyond it.
 * @param failures losses in a row, this one included, from 1 on
 * @param random from 0 to below 1
 * @param longestMs from 1 on
 */
export function reconnectDelayMs(failures: number, random: () => number, longestMs = DELAY_MS_MAX): number {
  const ceiling = failures > FAILURES_AT_MAX ? longestMs : FIRST_DELAY_MS_MAX * 2 ** (failures - 1)
  return Math.floor(random() * Math.min(ceiling, longestMs))
}
