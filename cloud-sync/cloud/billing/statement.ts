import type { OrgId } from '../../contract/index.ts'
import { type Amount, type Minor, minorUnit } from './amount.ts'
import { type BillingZone, type Day, daysOf, type Period, periodAfter, startOf } from './calendar.ts'
import type { DayFact } from './day-facts.ts'
import { BillingError } from './errors.ts'
import { type Line, linesOf } from './lines.ts'
import type { PriceBook } from './price-book.ts'
import { rate } from './rating.ts'

/** A gateway of the organisation that has not reported its usage up to the end of the month. */
export interface Unreported {
  readonly gateway: string
  /** Milliseconds since 1970; null where it never reported. */
  readonly since: number | null
}

/** What an organisation owes for a month, and why: corrections of earlier months included. */
export interface Statement {
  readonly org: OrgId
  readonly period: Period
  readonly zone: BillingZone
  /** First moment of the month in its zone, and of the next one; milliseconds since 1970. */
  readonly from: number
  readonly to: number
  /** Null where no rate card applies, so that nothing is to be paid. */
  readonly currency: string | null
  readonly minorDigits: number
  readonly priceBook: string
  readonly lines: readonly Line[]
  /** Sum of the lines' rounded amounts: what is to be paid. */
  readonly total: Minor
  /** Sum of the exact amounts. */
  readonly exact: Amount
  /** `total` minus `exact`: what rounding added or took. */
  readonly rounding: Amount
  readonly unpriced: readonly DayFact[]
  /** A statement never waits for them; what they held comes as a correction (metering.md, 1.3). */
  readonly unreported: readonly Unreported[]
}

/** What a statement is made of. */
export interface StatementInput {
  readonly org: OrgId
  readonly period: Period
  readonly zone: BillingZone
  readonly prices: PriceBook
  /**
   * All facts of the month, and all facts of every earlier month that has late ones: a correction is the whole month
   * rated anew minus what was booked, never the late part alone.
   */
  readonly facts: ReadonlyMap<Period, readonly DayFact[]>
  /** Lines of earlier statements, by the month in which they were used. */
  readonly bookedFor: (period: Period) => readonly Line[]
  /** On which the organisation was there; after it a month costs what was used and no fee. */
  readonly lastDay?: Day | null
  readonly unreported?: readonly Unreported[]
}

const NO_MONEY = { currency: null, minorDigits: 2 } as const

/**
 * The statement of a month. Usage of the month itself becomes lines, usage of earlier months that is not booked yet
 * becomes adjustments. A month that was booked as usage already has no second usage.
 * @throws BillingError BILLING_PERIOD_CLOSED where the month was booked, or a fact belongs to a later one.
 */
export function makeStatement(input: StatementInput): Statement {
  const { org, period, zone, prices } = input
  if (input.bookedFor(period).length > 0) {
    throw new BillingError('BILLING_PERIOD_CLOSED', `${period} of ${org} is booked`)
  }
  const { currency, minorDigits } = moneyOf(input)
  const months = [...new Set([period, ...input.facts.keys()])].sort().map((used) => {
    if (used > period) throw new BillingError('BILLING_PERIOD_CLOSED', `${used} comes after ${period}`)
    const facts = input.facts.get(used) ?? []
    const { charges, unpriced } = rate({ org, period: used, facts, prices, lastDay: input.lastDay ?? null })
    const kind = used === period ? ('usage' as const) : ('adjustment' as const)
    const lines = linesOf({ kind, charges, booked: input.bookedFor(used), minorDigits })
    return { lines, unpriced }
  })
  const lines = months.flatMap((month) => month.lines)
  const total = lines.reduce((sum, { minor }) => sum + minor, 0n)
  const exact = lines.reduce((sum, line) => sum + line.exact, 0n)
  return {
    ...{ org, period, zone, currency, minorDigits, priceBook: prices.version, lines, total, exact },
    from: startOf(`${period}-01`, zone),
    to: startOf(`${periodAfter(period)}-01`, zone),
    rounding: total * minorUnit(minorDigits) - exact,
    unpriced: months.flatMap((month) => month.unpriced),
    unreported: input.unreported ?? [],
  }
}

/** The money an organisation pays in: it is the same on all its cards (price-book.ts). */
function moneyOf({ org, period, prices, facts }: StatementInput): {
  currency: string | null
  minorDigits: number
} {
  const days = [period, ...facts.keys()].flatMap(daysOf)
  for (const day of days) {
    const card = prices.cardOn(org, day)
    if (card !== undefined) return card
  }
  return NO_MONEY
}
