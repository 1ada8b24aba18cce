import type { OrgId } from '../../contract/index.ts'
import {
  type DayFact,
  type Line,
  type Period,
  postingsOf,
  SERVICES,
  type Statement,
  type Unreported,
} from '../billing/index.ts'
import {
  type BillingReader,
  type BillingRow,
  type BillingTransaction,
  packCells,
  unpackCells,
} from '../storage/index.ts'

/** Unpriced usage named in a statement at most; how much there is in all is said too. */
const UNPRICED_NAMED_MAX = 1_000

/** Writes a statement down: its run, its lines, and each line in double entry. */
export async function bookStatement(
  tx: BillingTransaction,
  statement: Statement,
  { run, cutoff, at }: { run: string; cutoff: number; at: number },
): Promise<void> {
  const { org, period } = statement
  await tx.add('rating_run', {
    id: run,
    org,
    period,
    cutoff,
    price_book: statement.priceBook,
    made_at: at,
    currency: statement.currency,
    minor_digits: statement.minorDigits,
    total_minor: statement.total.toString(),
    exact: statement.exact.toString(),
    rounding: statement.rounding.toString(),
    lines: statement.lines.length,
    unpriced: JSON.stringify(statement.unpriced.slice(0, UNPRICED_NAMED_MAX), bigintAsText),
    unreported: JSON.stringify(statement.unreported),
  })
  for (const [no, line] of statement.lines.entries())
    await tx.add('booked_line', rowOf(statement, line, { run, no }))
  await tx.post(
    postingsOf(statement).map((posting) => ({ ...posting, kind: 'line' as const })),
    at,
  )
}

const rowOf = (
  { org, period }: Statement,
  line: Line,
  { run, no }: { run: string; no: number },
): BillingRow<'booked_line'> => ({
  run,
  no,
  org,
  period,
  used: line.period,
  corrects: line.kind === 'adjustment' ? line.period : null,
  service: line.service,
  sku: line.sku,
  card: line.card,
  consumed: line.consumed.toString(),
  charged: line.charged.toString(),
  exact: line.exact.toString(),
  minor: line.minor.toString(),
  cells: packCells(line.cells),
})

/** Every line that was ever booked for what was used in a month. */
export async function linesBookedFor(read: BillingReader, org: string, used: Period): Promise<Line[]> {
  const rows = await read.find('booked_line', { org, used }, { orderBy: ['period', 'no'] })
  return rows.map(lineOf)
}

/** The statement of a closed month, as it was made; undefined where the month is not closed. */
export async function bookedStatement(
  read: BillingReader,
  org: string,
  period: Period,
): Promise<Statement | undefined> {
  const run = await read.get('rating_run', { org, period })
  const month = await read.get('billing_period', { org, period, state: 'closed' })
  if (run === undefined || month === undefined) return undefined
  const rows = await read.find('booked_line', { run: run.id }, { orderBy: ['no'] })
  return {
    org: run.org as OrgId,
    period,
    zone: month.zone,
    from: month.from_at,
    to: month.to_at,
    currency: run.currency,
    minorDigits: run.minor_digits,
    priceBook: run.price_book,
    lines: rows.map(lineOf),
    total: BigInt(run.total_minor),
    exact: BigInt(run.exact),
    rounding: BigInt(run.rounding),
    unpriced: (JSON.parse(run.unpriced) as (Omit<DayFact, 'quantity'> & { quantity: string })[]).map(
      (fact) => ({
        ...fact,
        quantity: BigInt(fact.quantity),
      }),
    ),
    unreported: JSON.parse(run.unreported) as Unreported[],
  }
}

function lineOf(row: BillingRow<'booked_line'>): Line {
  const service = SERVICES.find((one) => one === row.service)
  if (service === undefined) throw new Error(`there is no service ${row.service}`)
  const { sku, card } = row
  return {
    kind: row.corrects === null ? 'usage' : 'adjustment',
    period: row.used,
    service,
    sku,
    card,
    consumed: BigInt(row.consumed),
    charged: BigInt(row.charged),
    exact: BigInt(row.exact),
    minor: BigInt(row.minor),
    cells: unpackCells(row.cells, { service, sku, card }),
  }
}

const bigintAsText = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? value.toString() : value
