import { type Amount, amountText } from './amount.ts'

/** The sensors of a day from the `from`-th to the `to`-th, both included; null in the last tier. */
export interface Tier {
  readonly from: bigint
  readonly to: bigint | null
  /** Of one sensor for one day. */
  readonly rate: Amount
  /** Once a day where the tier is reached. */
  readonly flat: Amount
}

/** What the sensors of a day cost (rate-card.ts says what the modes mean). */
export interface SensorDayPlan {
  readonly mode: 'volume' | 'graduated'
  readonly tiers: readonly Tier[]
  readonly included: bigint
}

/** What is wrong with tiers: they begin at 1, follow each other without gap or overlap, and only the last is open. */
export function tierIssues(tiers: readonly Tier[]): { readonly tier: number; readonly message: string }[] {
  return tiers.flatMap((tier, index) => {
    const message = faultOf(tier, { before: tiers[index - 1], last: index === tiers.length - 1 })
    return message === undefined ? [] : [{ tier: index, message }]
  })
}

function faultOf(
  { from, to }: Tier,
  { before, last }: { before: Tier | undefined; last: boolean },
): string | undefined {
  if (before === undefined && from !== 1n) return `the first tier begins at 1, not at ${from}`
  if (before !== undefined && before.to !== null) {
    if (from > before.to + 1n) return `gap: no tier has ${before.to + 1n} to ${from - 1n}`
    if (from <= before.to) return `overlap: two tiers have ${from} to ${before.to}`
  }
  return faultOfEnd({ from, to }, last)
}

function faultOfEnd({ from, to }: Pick<Tier, 'from' | 'to'>, last: boolean): string | undefined {
  if (to === null) return last ? undefined : 'overlap: only the last tier may be open (to: null)'
  if (to < from) return `the tier ends at ${to}, before it begins at ${from}`
  return last ? `gap: no tier has ${to + 1n} and more; the last tier ends at null` : undefined
}

/** What is allowed and rarely meant: a rate that rises, a bill that falls when a sensor is added. */
export function tierWarnings(plan: SensorDayPlan): string[] {
  const { tiers } = plan
  return tiers.flatMap((tier, index) => {
    const before = tiers[index - 1]
    if (before === undefined) return []
    const warnings: string[] = []
    if (tier.rate > before.rate) {
      warnings.push(`from ${tier.from} on a sensor costs more (${amountText(tier.rate)}) than before`)
    }
    const at = outlook(plan, tier.from - 1n)
    if (at.cheaperFrom !== null) {
      warnings.push(`${at.cheaperFrom} to ${tier.from - 1n} sensors cost more than ${tier.from} do`)
    }
    return warnings
  })
}

/** What `sensors` cost on one day, exactly. */
export function dayPrice(plan: SensorDayPlan, sensors: bigint): Amount {
  if (sensors <= 0n) return 0n
  const charged = sensors > plan.included ? sensors - plan.included : 0n
  if (plan.mode === 'volume') {
    const { rate, flat } = tierAt(plan.tiers, sensors)
    return charged * rate + flat
  }
  return plan.tiers.reduce((sum, tier) => sum + graduatedPart(tier, sensors, plan.included), 0n)
}

/** What the places of one tier cost: those up to `sensors` and beyond the included ones. */
function graduatedPart({ from, to, rate, flat }: Tier, sensors: bigint, included: bigint): Amount {
  if (sensors < from) return 0n
  const last = to === null || sensors < to ? sensors : to
  const first = included >= from ? included + 1n : from
  return (last >= first ? (last - first + 1n) * rate : 0n) + flat
}

/** The tier of a number of sensors; of none it is the first. */
function tierAt(tiers: readonly Tier[], sensors: bigint): Tier {
  const found = tiers.findLast(({ from }) => from <= sensors) ?? tiers[0]
  if (found === undefined) throw new Error('a plan has at least one tier')
  return found
}

/** How far a day's number of sensors is from the next bulk discount (S0.33), and what it would do to the bill. */
export interface Outlook {
  readonly sensors: bigint
  /** Rate of the tier reached. */
  readonly rate: Amount
  /** What one more sensor adds to the day; negative where it brings the discount of a volume plan. */
  readonly marginal: Amount
  /** Sensors missing to the next tier; null in the last. */
  readonly toNext: bigint | null
  readonly nextRate: Amount | null
  /** The day's price now minus that at the next tier's first sensor; above zero: more sensors would cost less. */
  readonly savingAtNext: Amount | null
  /** The smallest number of sensors in this tier that costs more than the next tier's first; null where none does. */
  readonly cheaperFrom: bigint | null
}

export function outlook(plan: SensorDayPlan, sensors: bigint): Outlook {
  const tier = tierAt(plan.tiers, sensors)
  const price = dayPrice(plan, sensors)
  const marginal = dayPrice(plan, sensors + 1n) - price
  const next = plan.tiers[plan.tiers.indexOf(tier) + 1]
  if (next === undefined) {
    const none = { toNext: null, nextRate: null, savingAtNext: null, cheaperFrom: null }
    return { sensors, rate: tier.rate, marginal, ...none }
  }
  const atNext = dayPrice(plan, next.from)
  return {
    sensors,
    rate: tier.rate,
    marginal,
    toNext: next.from - sensors,
    nextRate: next.rate,
    savingAtNext: price - atNext,
    cheaperFrom: breakEven({ plan, tier, next: next.from, atNext }),
  }
}

/** Inside a tier the price only grows, so the first number above `atNext` is found by halving. */
function breakEven(given: { plan: SensorDayPlan; tier: Tier; next: bigint; atNext: Amount }): bigint | null {
  const { plan, tier, next, atNext } = given
  if (dayPrice(plan, next - 1n) <= atNext) return null
  let low = tier.from
  let high = next - 1n
  while (low < high) {
    const middle = (low + high) / 2n
    if (dayPrice(plan, middle) > atNext) high = middle
    else low = middle + 1n
  }
  return low
}
