import { momentText } from '../../../contract/index.ts'
import {
  amountText,
  type Cost,
  type Line,
  minorText,
  type Outlook,
  type Statement,
} from '../../billing/index.ts'
import type { BillingRow } from '../../storage/index.ts'

/** Money of a group of cells as people read it; `exact` has up to 12 places. */
export const costShown = (
  { consumed, exact, minor }: Cost,
  { minorDigits }: Pick<Statement, 'minorDigits'>,
) => ({
  consumed: consumed.toString(),
  amount: minorText(minor, minorDigits),
  exact: amountText(exact),
})

const lineShown = (line: Line, minorDigits: number) => ({
  kind: line.kind,
  used: line.period,
  service: line.service,
  sku: line.sku,
  card: line.card,
  consumed: line.consumed.toString(),
  charged: line.charged.toString(),
  amount: minorText(line.minor, minorDigits),
  exact: amountText(line.exact),
  /** Of a correction: the days of the closed month that it is about. */
  originalDays: line.kind === 'adjustment' ? [...new Set(line.cells.map(({ day }) => day))].sort() : [],
})

/** A statement without its cells; the views have those. */
export const statementShown = (
  statement: Statement,
  state: 'open' | 'grace' | 'due' | 'closed',
  invoice: number | null,
) => ({
  organisation: statement.org as string,
  period: statement.period,
  state,
  zone: statement.zone,
  from: statement.from,
  to: statement.to,
  currency: statement.currency,
  priceBook: statement.priceBook,
  lines: statement.lines.map((line) => lineShown(line, statement.minorDigits)),
  total: minorText(statement.total, statement.minorDigits),
  exact: amountText(statement.exact),
  rounding: amountText(statement.rounding),
  invoice,
  unpriced: statement.unpriced.length,
  unreported: statement.unreported.map(({ gateway, since }) => ({ gateway, since })),
  note: unreportedNote(statement.unreported),
})

/** "2 gateways unreported since 2026-07-12T08:00:00Z": what they held comes as a correction. */
export function unreportedNote(unreported: Statement['unreported']): string | null {
  if (unreported.length === 0) return null
  const known = unreported.flatMap(({ since }) => (since === null ? [] : [since]))
  const who = unreported.length === 1 ? '1 gateway' : `${unreported.length} gateways`
  if (known.length === 0) return `${who} never reported`
  return `${who} unreported since ${momentText(Math.min(...known)).slice(0, 19)}Z`
}

export const outlookShown = (outlook: Outlook | null) =>
  outlook === null
    ? null
    : {
        sensors: outlook.sensors.toString(),
        rate: amountText(outlook.rate),
        marginal: amountText(outlook.marginal),
        toNext: outlook.toNext?.toString() ?? null,
        nextRate: outlook.nextRate === null ? null : amountText(outlook.nextRate),
        savingAtNext: outlook.savingAtNext === null ? null : amountText(outlook.savingAtNext),
        cheaperFrom: outlook.cheaperFrom?.toString() ?? null,
      }

/** Money of a payment that went back, or is to. */
export const refundShown = (row: BillingRow<'refund'>) => ({
  refund: row.id,
  payment: row.payment,
  kind: row.kind,
  amount: minorText(BigInt(row.minor), row.minor_digits),
  currency: row.currency,
  debt: row.debt,
  reason: row.reason,
  state: row.state,
  failure: row.failure,
  createdAt: row.created_at,
  settledAt: row.settled_at,
})
