import { z } from 'zod'
import { amountText, type Minor, parseAmount } from '../amount.ts'
import { Day, Period, periodOf } from '../calendar.ts'
import { inOrder } from '../day-facts.ts'
import { BillingError } from '../errors.ts'
import { groupBy } from '../group.ts'
import { type Cell, type Line, lineKey } from '../lines.ts'
import { SERVICES } from '../rating.ts'
import type { Statement } from '../statement.ts'
import { csvLine, type Field, parseCsv } from './csv.ts'

const Whole = z
  .string()
  .regex(/^-?\d{1,60}$/)
  .transform((text) => BigInt(text))
const Money = z.string().transform((text, context) => {
  const amount = parseAmount(text)
  if (amount === undefined) context.addIssue({ code: 'custom', message: 'no amount' })
  return amount ?? 0n
})
const Text = z.string().max(200).nullable()

/** A cell of a statement as a row of texts; the columns of the CSV export, in this order. */
const CellRow = z.strictObject({
  kind: z.enum(['usage', 'adjustment']),
  day: Day,
  service: z.enum(SERVICES),
  sku: z.string().max(200),
  card: z.string().max(200),
  gateway: Text,
  subject: Text,
  custodian: Text,
  workspace: Text,
  consumed: Whole,
  charged: Whole,
  unit_price: Money.nullable(),
  exact: Money,
  minor: Whole,
})
const COLUMNS = CellRow.keyof().options

/** Every cell of a statement as CSV (RFC 4180), line by line: amounts as decimal texts, `minor` in the smallest coin. */
export function* statementCsv(statement: Statement): Generator<string> {
  yield csvLine(['billed_in', 'currency', ...COLUMNS])
  for (const { kind, cells } of statement.lines) {
    for (const cell of cells) {
      const { unitPrice, amount, consumed, charged, minor, ...texts } = cell
      const counts = { consumed: consumed.toString(), charged: charged.toString(), minor: minor.toString() }
      const exact = amountText(amount)
      const unit_price = unitPrice === null ? null : amountText(unitPrice)
      const row = { kind, ...texts, ...counts, exact, unit_price }
      yield csvLine([statement.period, statement.currency, ...COLUMNS.map((column) => row[column])])
    }
  }
}

/**
 * Reads the lines of a statement back from its CSV.
 * @throws BillingError BILLING_IMPORT_INVALID naming the first row that is not one.
 */
export function linesFromCsv(text: string): Line[] {
  const [header, ...rows] = parseCsv(text) ?? []
  if (header?.join() !== ['billed_in', 'currency', ...COLUMNS].join()) throw broken(1, 'not the header of it')
  const cells = rows.map((row, index) => {
    const [billedIn, , ...fields] = row
    if (!Period.safeParse(billedIn).success || fields.length !== COLUMNS.length)
      throw broken(index + 2, 'columns')
    return cellFrom(Object.fromEntries(COLUMNS.map((column, at) => [column, fields[at]])), index + 2)
  })
  return linesFrom(cells)
}

/** A cell with the kind of its line. */
export interface KindedCell {
  readonly kind: Line['kind']
  readonly cell: Cell
}

/** Reads one row; `number` is its place in the file, for the message. */
export function cellFrom(row: Readonly<Record<string, Field | undefined>>, number: number): KindedCell {
  const parsed = CellRow.safeParse(row)
  if (!parsed.success) throw broken(number, parsed.error.issues.map(({ path }) => path.join('.')).join(', '))
  const { kind, unit_price: unitPrice, exact: amount, ...rest } = parsed.data
  return { kind, cell: { ...rest, unitPrice, amount } }
}

export const broken = (row: number, what: string): BillingError =>
  new BillingError('BILLING_IMPORT_INVALID', `row ${row} cannot be read: ${what}`)

/** Puts cells together to the lines that they came from, in the order of a statement. */
export function linesFrom(cells: readonly KindedCell[]): Line[] {
  const groups = groupBy(cells, ({ cell }) => lineKey({ period: periodOf(cell.day), ...cell }))
  return [...groups]
    .sort(([a], [b]) => inOrder(a, b))
    .flatMap(([, group]) => {
      const [first] = group
      if (first === undefined) return []
      const own = group.map(({ cell }) => cell)
      const { day, service, sku, card } = first.cell
      return [
        {
          ...{ kind: first.kind, period: periodOf(day), service, sku, card },
          consumed: sum(own, ({ consumed }) => consumed),
          charged: sum(own, ({ charged }) => charged),
          exact: sum(own, ({ amount }) => amount),
          minor: sum(own, ({ minor }): Minor => minor),
          cells: own,
        },
      ]
    })
}

const sum = (cells: readonly Cell[], of: (cell: Cell) => bigint): bigint =>
  cells.reduce((all, cell) => all + of(cell), 0n)
