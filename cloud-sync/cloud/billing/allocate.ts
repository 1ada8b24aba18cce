/**
 * Splits `total` in proportion to `weights` so that the parts are whole and their sum is `total`: everyone gets the
 * share rounded down, what is left goes one by one to the largest remainders, the earlier of two equal ones first.
 * Needs total >= 0 and weights >= 0; where all weigh nothing, all weigh the same.
 */
export function largestRemainder(total: bigint, weights: readonly bigint[]): bigint[] {
  const sum = weights.reduce((all, weight) => all + weight, 0n)
  if (sum === 0n) {
    return weights.length === 0
      ? []
      : largestRemainder(
          total,
          weights.map(() => 1n),
        )
  }
  const parts = weights.map((weight) => (total * weight) / sum)
  const rests = weights.map((weight) => (total * weight) % sum)
  const left = Number(total - parts.reduce((all, part) => all + part, 0n))
  const byRest = rests.map((rest, index) => ({ rest, index }))
  byRest.sort((a, b) => (a.rest === b.rest ? a.index - b.index : a.rest > b.rest ? -1 : 1))
  for (const { index } of byRest.slice(0, left)) parts[index] = (parts[index] ?? 0n) + 1n
  return parts
}
