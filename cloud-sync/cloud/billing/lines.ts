import { type Amount, divideDown, type Minor, minorUnit, roundHalfEven } from './amount.ts'
import { type Period, periodOf } from './calendar.ts'
import { inOrder, resourceNumbers, resourceOf } from './day-facts.ts'
import { groupBy } from './group.ts'
import type { Charge, Service } from './rating.ts'

/** A charge with the minor units that it got of its line's amount; every view adds these up (I14). */
export interface Cell extends Charge {
  readonly minor: Minor
}

/** One line of a statement: what one service of one rate card cost for one month. */
export interface Line {
  /** `adjustment`: it corrects the line of that name in an earlier, closed month. */
  readonly kind: 'usage' | 'adjustment'
  /** The month in which it was used. */
  readonly period: Period
  readonly service: Service
  readonly sku: string
  readonly card: string
  readonly consumed: bigint
  readonly charged: bigint
  readonly exact: Amount
  /** To pay: `exact` rounded, once; in a correction the rounded new total minus what was booked. */
  readonly minor: Minor
  readonly cells: readonly Cell[]
}

/** Names a line through all its corrections. */
export const lineKey = (of: {
  readonly period: Period
  readonly service: Service
  readonly sku: string
  readonly card: string
}): string => `${of.period} ${of.service} ${of.sku} ${of.card}`

const cellKey = (charge: Charge): string =>
  `${charge.day} ${resourceOf(charge)} ${charge.custodian ?? '~'} ${charge.workspace ?? '~'}`

/**
 * What is still to be booked for a month: all its charges as they are now minus the lines that were booked for it, so
 * that a late record that moves a whole day into another tier corrects every sensor of the day (delta rating, I13).
 * The rounded amounts are subtracted too: a statement and its corrections add up to what one statement would have said.
 */
export function linesOf(given: {
  readonly kind: Line['kind']
  readonly charges: readonly Charge[]
  readonly booked: readonly Line[]
  readonly minorDigits: number
}): Line[] {
  const now = byLine(given.charges)
  const before = groupBy(given.booked, lineKey)
  const keys = [...new Set([...now.keys(), ...before.keys()])].sort(inOrder)
  return keys.flatMap((key) => {
    const charges = now.get(key) ?? []
    const booked = before.get(key) ?? []
    const changed = booked.length === 0 ? charges : difference(charges, booked)
    const [first] = changed
    if (first === undefined) return []
    const due = roundHalfEven(sum(charges, 'amount'), given.minorDigits)
    const minor = booked.reduce((rest, line) => rest - line.minor, due)
    return [
      {
        kind: given.kind,
        period: periodOf(first.day),
        service: first.service,
        sku: first.sku,
        card: first.card,
        consumed: sum(changed, 'consumed'),
        charged: sum(changed, 'charged'),
        exact: sum(changed, 'amount'),
        minor,
        cells: apportion(changed, minor, given.minorDigits),
      },
    ]
  })
}

/** Charges by the name of their line. They come line by line, so that most have the one of the charge before. */
function byLine(charges: readonly Charge[]): Map<string, Charge[]> {
  let last: Charge | undefined
  let key = ''
  return groupBy(charges, (charge) => {
    const { day, service, sku, card } = charge
    const isNext = last?.card !== card || last.sku !== sku || last.service !== service || last.day !== day
    if (isNext) key = lineKey({ period: periodOf(day), service, sku, card })
    last = charge
    return key
  })
}

/** Most charges of a line have the one of the charge before: those are multiplied, not added. */
function sum(charges: readonly Charge[], of: 'amount' | 'consumed' | 'charged'): bigint {
  let all = 0n
  let last = 0n
  let times = 0
  for (const charge of charges) {
    if (charge[of] !== last) {
      all += last * BigInt(times)
      last = charge[of]
      times = 0
    }
    times += 1
  }
  return all + last * BigInt(times)
}

/** The charges that differ from what was booked, by how much; those taken back whole are there with their negative. */
function difference(charges: readonly Charge[], booked: readonly Line[]): Charge[] {
  const changes = new Map<string, Charge>()
  const add = (charge: Charge, sign: 1n | -1n): void => {
    const key = cellKey(charge)
    const there = changes.get(key)
    const { day, service, sku, card, gateway, subject, custodian, workspace } = charge
    changes.set(key, {
      ...{ day, service, sku, card, gateway, subject, custodian, workspace },
      consumed: (there?.consumed ?? 0n) + sign * charge.consumed,
      charged: (there?.charged ?? 0n) + sign * charge.charged,
      unitPrice: null,
      amount: (there?.amount ?? 0n) + sign * charge.amount,
    })
  }
  for (const charge of charges) add(charge, 1n)
  for (const cell of booked.flatMap(({ cells }) => cells)) add(cell, -1n)
  return [...changes]
    .filter(([, { consumed, charged, amount }]) => consumed !== 0n || charged !== 0n || amount !== 0n)
    .sort(([a], [b]) => inOrder(a, b))
    .map(([, change]) => change)
}

/**
 * Gives a line's rounded amount to its cells by largest remainder: every cell its own amount rounded down, then one
 * more minor unit each to those that lost most. A correction is the difference of two rounded totals, so it may be a
 * whole unit below the sum of its cells: where those lost nothing by rounding down, one unit is missing instead of left
 * over, and is taken from those that lost least.
 */
function apportion(charges: readonly Charge[], total: Minor, minorDigits: number): Cell[] {
  const unit = minorUnit(minorDigits)
  const minors: Minor[] = []
  const byRest = new Map<bigint, number[]>()
  let left = total
  let last: { amount: Amount; whole: Minor; same: number[] } | undefined
  for (const [index, { amount }] of charges.entries()) {
    // Most cells of a line cost the same.
    if (last?.amount !== amount) {
      const { whole, rest } = divideDown(amount, unit)
      const same = byRest.get(rest) ?? []
      byRest.set(rest, same)
      last = { amount, whole, same }
    }
    minors.push(last.whole)
    last.same.push(index)
    if (last.whole !== 0n) left -= last.whole
  }
  giveRest(charges, { minors, byRest, left })
  return charges.map((charge, index) => cellOf(charge, minors[index] ?? 0n))
}

/** One minor unit each to those that lost most, or one less to those that lost least, until nothing is left. */
function giveRest(
  charges: readonly Charge[],
  { minors, byRest, ...rest }: { minors: Minor[]; byRest: ReadonlyMap<bigint, number[]>; left: bigint },
): void {
  let { left } = rest
  const odd = left < 0n ? -1n : 1n
  for (const lost of [...byRest.keys()].sort((a, b) => (a > b === odd > 0n ? -1 : 1))) {
    if (left === 0n) break
    const same = byRest.get(lost) ?? []
    const count = left * odd
    const some = count >= BigInt(same.length) ? same : diagonal(charges, same, Number(count))
    for (const index of some) minors[index] = (minors[index] ?? 0n) + odd
    left -= odd * BigInt(some.length)
  }
}

/** Written out, not spread: a large organisation has a third of a million of them. */
const cellOf = (charge: Charge, minor: Minor): Cell => ({
  day: charge.day,
  service: charge.service,
  sku: charge.sku,
  card: charge.card,
  gateway: charge.gateway,
  subject: charge.subject,
  custodian: charge.custodian,
  workspace: charge.workspace,
  consumed: charge.consumed,
  charged: charge.charged,
  unitPrice: charge.unitPrice,
  amount: charge.amount,
  minor,
})

/**
 * Equal remainders come along the diagonals of sensors and days: taken by name, the first sensors would get the odd
 * cent of every day, and the last ones none in the whole month. A diagonal has every sensor once; the next one taken is
 * far from those before, which does the same for the days.
 */
function diagonal(charges: readonly Charge[], indexes: readonly number[], count: number): number[] {
  const sensorOf = resourceNumbers()
  const days = new Map<string, number>()
  const placed = indexes.flatMap((index) => {
    const charge = charges[index]
    return charge === undefined ? [] : [{ index, sensor: sensorOf(charge), day: numberIn(days, charge.day) }]
  })
  const step = stepOf(days.size)
  const turns = groupBy(placed, ({ sensor, day }) => ((sensor + day) * step) % days.size)
  const lucky: number[] = []
  for (let turn = 0; lucky.length < count; turn += 1) {
    const some = (turns.get(turn) ?? []).sort((a, b) => a.sensor - b.sensor || a.day - b.day)
    lucky.push(...some.slice(0, count - lucky.length).map(({ index }) => index))
  }
  return lucky
}

function numberIn(names: Map<string, number>, name: string): number {
  const number = names.get(name) ?? names.size
  if (number === names.size) names.set(name, number)
  return number
}

/** Nearest below the golden share of `days` that has no divisor in common with it. */
function stepOf(days: number): number {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b))
  let step = Math.max(1, Math.floor(days * 0.618))
  while (divisor(days, step) > 1) step -= 1
  return step
}
