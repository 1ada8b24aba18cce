/** Shares of the budget, in percent, at which the gateway sends more slowly. */
const STEPS = [100, 90, 70] as const
export type BudgetStep = (typeof STEPS)[number] | 0

/** What each lane may still send, as a share of its configured rate. Control is never slowed: it carries revocations. */
export interface LaneFactors {
  readonly control: 1
  readonly live: number
  readonly backfill: number
}

/** Back-fill first, then live; both go on as a trickle, so that a budget never cuts a site off. */
const FACTORS: Readonly<Record<BudgetStep, LaneFactors>> = {
  0: { control: 1, live: 1, backfill: 1 },
  70: { control: 1, live: 1, backfill: 1 / 4 },
  90: { control: 1, live: 1 / 2, backfill: 1 / 16 },
  100: { control: 1, live: 1 / 8, backfill: 1 / 64 },
}

/** What one SIM has used of its period. */
export interface BudgetUse {
  /** First day of the period, YYYY-MM-DD; null until there was trusted time. */
  readonly period: string | null
  readonly used: bigint
}

export const UNUSED: BudgetUse = { period: null, used: 0n }

/**
 * Adds bytes to the period that the day of trusted time lies in; a later period begins at 0. Without trusted time the
 * period stays what it was, and a day that went back never opens a period again. Pure.
 *
 * @param billingDay of the month, 1 to 28
 */
export function spend(
  before: BudgetUse,
  {
    bytes,
    day,
    billingDay,
  }: { readonly bytes: bigint; readonly day: string | null; readonly billingDay: number },
): BudgetUse {
  const period = day === null ? null : periodOf(day, billingDay)
  if (period === null) return { period: before.period, used: before.used + bytes }
  // What was used before any time was known belongs to the first period that is.
  if (before.period === null) return { period, used: before.used + bytes }
  if (period > before.period) return { period, used: bytes }
  return { period: before.period, used: before.used + bytes }
}

/** First day of the period that this day lies in, both YYYY-MM-DD. */
export function periodOf(day: string, billingDay: number): string {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number)
  const start = new Date(Date.UTC(year, month - 1 - (date < billingDay ? 1 : 0), billingDay))
  return start.toISOString().slice(0, 10)
}

/** The highest step that this use has reached. @param limit bytes a period */
export function stepOf(used: bigint, limit: bigint): BudgetStep {
  return STEPS.find((step) => used * 100n >= limit * BigInt(step)) ?? 0
}

/** The strictest of several SIMs: they share the gateway's lanes. */
export function factorsOf(steps: readonly BudgetStep[]): LaneFactors {
  return FACTORS[steps.reduce<BudgetStep>((most, step) => (step > most ? step : most), 0)]
}
