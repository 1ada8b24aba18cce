import type { OrgId } from '../../contract/index.ts'
import { type Amount, minorUnit } from './amount.ts'
import type { Period } from './calendar.ts'
import { BillingError } from './errors.ts'
import { type Line, lineKey } from './lines.ts'
import type { Statement } from './statement.ts'

/** One side of a posting; above zero is a debit, below a credit. */
interface Entry {
  /** `receivable:ORG`, `revenue:SERVICE` or `rounding`. */
  readonly account: string
  readonly amount: Amount
}

/** One line of a statement in double entry; its entries sum to zero. */
export interface Posting {
  /** The statement's month and the line's name: the same line cannot be posted twice. */
  readonly id: string
  readonly org: OrgId
  /** The month it is booked in. */
  readonly period: Period
  /** The closed month that it corrects. */
  readonly corrects: Period | null
  readonly entries: readonly Entry[]
}

/** What is booked of one organisation; only ever grows. */
export interface Books {
  readonly org: OrgId
  readonly statements: readonly Statement[]
  readonly postings: readonly Posting[]
}

export const emptyBooks = (org: OrgId): Books => ({ org, statements: [], postings: [] })

/**
 * The double entry of a statement: the customer owes the rounded amount, the service earned the exact one, and the
 * rounding has an account of its own, so that no fraction of a cent is ever lost from the books.
 */
export function postingsOf(statement: Statement): Posting[] {
  const { org, period, minorDigits } = statement
  return statement.lines.map((line) => {
    const owed = line.minor * minorUnit(minorDigits)
    const entries = [
      { account: `receivable:${org}`, amount: owed },
      { account: `revenue:${line.service}`, amount: -line.exact },
      { account: 'rounding', amount: line.exact - owed },
    ]
    return {
      id: `${org} ${period} ${lineKey(line)}`,
      org,
      period,
      corrects: line.kind === 'adjustment' ? line.period : null,
      entries: entries.filter(({ amount }) => amount !== 0n),
    }
  })
}

/**
 * Closes a month with its statement. From then on it never changes: what comes late is an adjustment of a later one.
 * @throws BillingError BILLING_PERIOD_CLOSED where it, or a later month, is closed; BILLING_UNBALANCED where a posting
 * does not sum to zero or the lines are not the total.
 */
export function close(books: Books, statement: Statement): Books {
  const { org, period } = statement
  const last = books.statements.at(-1)
  if (org !== books.org || (last !== undefined && last.period >= period)) {
    throw new BillingError('BILLING_PERIOD_CLOSED', `${period} of ${org} cannot be closed (any more)`)
  }
  const postings = postingsOf(statement)
  const unbalanced = postings.find(({ entries }) => balanceOf(entries) !== 0n)
  if (unbalanced !== undefined) {
    throw new BillingError('BILLING_UNBALANCED', `posting ${unbalanced.id} does not sum to zero`)
  }
  const lines = statement.lines.reduce((sum, { minor }) => sum + minor, 0n)
  if (lines !== statement.total) {
    throw new BillingError('BILLING_UNBALANCED', `the lines of ${period} are not its total`)
  }
  return {
    org,
    statements: [...books.statements, statement],
    postings: [...books.postings, ...postings],
  }
}

const balanceOf = (entries: readonly Entry[]): Amount => entries.reduce((sum, { amount }) => sum + amount, 0n)

/** Every line that was ever booked for what was used in a month: its own and all corrections. */
export const bookedFor = (books: Books, period: Period): readonly Line[] =>
  books.statements.flatMap(({ lines }) => lines.filter((line) => line.period === period))

/** What stands in each account; all of it sums to zero. */
export function trialBalance(postings: readonly Posting[]): Map<string, Amount> {
  const balance = new Map<string, Amount>()
  for (const { account, amount } of postings.flatMap(({ entries }) => entries)) {
    balance.set(account, (balance.get(account) ?? 0n) + amount)
  }
  return balance
}
