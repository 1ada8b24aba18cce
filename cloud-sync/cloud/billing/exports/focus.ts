import { amountText, decimalText, parseAmount } from '../amount.ts'
import { type BillingZone, type Day, startOf } from '../calendar.ts'
import type { Cell, Line } from '../lines.ts'
import type { Service } from '../rating.ts'
import type { Statement } from '../statement.ts'
import { broken, cellFrom, type KindedCell, linesFrom } from './cell-rows.ts'
import { csvLine, type Field, parseCsv } from './csv.ts'

/** The columns of our FOCUS data set; `x_` are our own, as the specification asks. */
const COLUMNS = [
  ...['BilledCost', 'BillingAccountId', 'BillingAccountName', 'BillingCurrency', 'BillingPeriodEnd'],
  ...['BillingPeriodStart', 'ChargeCategory', 'ChargeClass', 'ChargeDescription', 'ChargeFrequency'],
  ...['ChargePeriodEnd', 'ChargePeriodStart', 'ConsumedQuantity', 'ConsumedUnit', 'ContractedCost'],
  ...['ContractedUnitPrice', 'EffectiveCost', 'InvoiceIssuerName', 'ListCost', 'ListUnitPrice'],
  ...['PricingCategory', 'PricingQuantity', 'PricingUnit', 'ProviderName', 'PublisherName', 'ResourceId'],
  ...['ResourceName', 'ResourceType', 'ServiceCategory', 'ServiceName', 'SkuId', 'SkuMeter', 'SkuPriceId'],
  ...['SubAccountId', 'SubAccountName'],
  ...['x_BilledMinor', 'x_BillingDay', 'x_Custodian', 'x_Gateway', 'x_Kind', 'x_Service'],
] as const

/** A row of a FOCUS data set: its columns by name; one that is not there is null. */
export type FocusRow = Readonly<Partial<Record<(typeof COLUMNS)[number], Field>>>

const DAY_MS = 86_400_000
const MEGABYTE_DIGITS = 6
const PRICE_DIGITS = 12

interface Words {
  readonly name: string
  readonly meter: string
  readonly unit: string
  /** Decimal places from the smallest unit to `unit`. */
  readonly digits: number
  readonly category: 'Usage' | 'Purchase'
  readonly frequency: 'Usage-Based' | 'Recurring'
}
const used = { category: 'Usage', frequency: 'Usage-Based' } as const
const WORDS: Readonly<Record<Service, Words>> = {
  'sensor-days': { ...used, name: 'Sensors', meter: 'Sensor Days', unit: 'Sensor-Days', digits: 0 },
  cellular: { ...used, name: 'Cellular', meter: 'Cellular Data', unit: 'MB', digits: MEGABYTE_DIGITS },
  fees: {
    name: 'Fees',
    meter: 'Fee Days',
    unit: 'Days',
    digits: 0,
    category: 'Purchase',
    frequency: 'Recurring',
  },
}

/**
 * A statement as FOCUS rows: one for each cell with its exact cost, and one adjustment for the rounding of the lines,
 * so that the rows sum to the invoice. In every row that is no correction the pricing quantity times the unit price is
 * the cost, exactly.
 */
export function* focusRows(statement: Statement, { issuer }: { issuer: string }): Generator<FocusRow> {
  const spanOf = spans(statement.zone)
  const all = {
    BillingAccountId: statement.org,
    BillingAccountName: statement.org,
    BillingCurrency: statement.currency,
    BillingPeriodStart: instant(statement.from),
    BillingPeriodEnd: instant(statement.to),
    InvoiceIssuerName: issuer,
    ProviderName: issuer,
    PublisherName: issuer,
    ServiceCategory: 'Internet of Things',
  }
  for (const line of statement.lines) {
    for (const cell of line.cells) {
      yield {
        ...all,
        ...spanOf(cell.day),
        ...costsOf(cell.amount),
        ...charged(line, cell),
        ...ours(line, cell),
      }
    }
  }
  if (statement.rounding !== 0n) yield { ...all, ...costsOf(statement.rounding), ...roundingOf(statement) }
}

/** The rows as CSV, with a header of all columns. */
export function* focusCsv(statement: Statement, by: { issuer: string }): Generator<string> {
  yield csvLine(COLUMNS)
  for (const row of focusRows(statement, by)) yield csvLine(COLUMNS.map((column) => row[column] ?? null))
}

const costsOf = (amount: bigint): FocusRow => {
  const cost = amountText(amount)
  return { BilledCost: cost, ContractedCost: cost, EffectiveCost: cost, ListCost: cost }
}

function charged(line: Line, cell: Cell): FocusRow {
  const words = WORDS[line.service]
  const isUsage = words.category === 'Usage'
  const price = cell.unitPrice === null ? null : amountText(cell.unitPrice)
  return {
    ChargeCategory: words.category,
    ChargeClass: line.kind === 'adjustment' ? 'Correction' : null,
    ChargeDescription: `${words.meter} ${line.sku}, ${line.period}`,
    ChargeFrequency: words.frequency,
    ConsumedQuantity: isUsage ? decimalText(cell.consumed, words.digits) : null,
    ConsumedUnit: isUsage ? words.unit : null,
    ContractedUnitPrice: price,
    ListUnitPrice: price,
    PricingCategory: 'Standard',
    PricingQuantity: decimalText(cell.charged, words.digits),
    PricingUnit: words.unit,
    ResourceId: cell.gateway === null ? null : `${cell.gateway}/${cell.subject ?? ''}`,
    ResourceName: cell.subject,
    ResourceType: cell.subject === null ? null : (cell.subject.split(':')[0] ?? null),
    ServiceName: words.name,
    SkuId: line.sku,
    SkuMeter: words.meter,
    SkuPriceId: line.card,
    SubAccountId: cell.workspace,
    SubAccountName: cell.workspace,
  }
}

/** What an import needs beyond the columns of the specification. */
const ours = (line: Line, cell: Cell): FocusRow => ({
  x_Kind: line.kind,
  x_BillingDay: cell.day,
  x_Service: line.service,
  x_Gateway: cell.gateway,
  x_Custodian: cell.custodian,
  x_BilledMinor: cell.minor.toString(),
})

function roundingOf({ period, from, to }: Statement): FocusRow {
  return {
    ChargePeriodStart: instant(from),
    ChargePeriodEnd: instant(to),
    ChargeCategory: 'Adjustment',
    ChargeClass: null,
    ChargeDescription: `Rounding of the lines of ${period}`,
    ChargeFrequency: 'One-Time',
    ServiceName: 'Rounding',
    x_Kind: 'rounding',
  }
}

/** ISO 8601 in UTC, as FOCUS has its times. */
const instant = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`

/** First moment of a day and of the next, asked of the calendar once a day. */
function spans(zone: BillingZone): (day: Day) => FocusRow {
  const known = new Map<Day, FocusRow>()
  return (day) => {
    const next = new Date(Date.parse(day) + DAY_MS).toISOString().slice(0, 10)
    const span = known.get(day) ?? {
      ChargePeriodStart: instant(startOf(day, zone)),
      ChargePeriodEnd: instant(startOf(next, zone)),
    }
    known.set(day, span)
    return span
  }
}

/**
 * Reads the lines of a statement back from its FOCUS rows as CSV, and checks what FOCUS promises: that pricing quantity
 * times unit price is the cost in every row that is no correction.
 * @throws BillingError BILLING_IMPORT_INVALID naming the first row that breaks it.
 */
export function linesFromFocusCsv(text: string): Line[] {
  const [header, ...rows] = parseCsv(text) ?? []
  if (header?.join() !== COLUMNS.join()) throw broken(1, 'not the header of it')
  const cells: KindedCell[] = []
  for (const [index, fields] of rows.entries()) {
    if (fields.length !== COLUMNS.length) throw broken(index + 2, 'columns')
    const row: FocusRow = Object.fromEntries(COLUMNS.map((column, at) => [column, fields[at]]))
    if (row.x_Kind !== 'rounding') cells.push(cellOf(row, index + 2))
  }
  return linesFrom(cells)
}

function cellOf(row: FocusRow, number: number): KindedCell {
  const service = row.x_Service
  if (service !== 'sensor-days' && service !== 'cellular' && service !== 'fees')
    throw broken(number, 'x_Service')
  const { digits } = WORDS[service]
  const charged = countOf(row.PricingQuantity, digits)
  const read = cellFrom(
    {
      kind: row.x_Kind,
      day: row.x_BillingDay,
      service,
      sku: row.SkuId,
      card: row.SkuPriceId,
      gateway: row.x_Gateway,
      subject: row.ResourceName,
      custodian: row.x_Custodian,
      workspace: row.SubAccountId,
      consumed: service === 'fees' ? charged : countOf(row.ConsumedQuantity, digits),
      charged,
      unit_price: row.ContractedUnitPrice,
      exact: row.BilledCost,
      minor: row.x_BilledMinor,
    },
    number,
  )
  const { amount, unitPrice } = read.cell
  const priced = unitPrice === null ? undefined : read.cell.charged * unitPrice
  if (read.kind === 'usage' && priced !== amount * 10n ** BigInt(digits)) throw broken(number, 'BilledCost')
  return read
}

/** A quantity in a service's smallest unit, as text; undefined where it is none. */
function countOf(text: Field | undefined, digits: number): string | undefined {
  const scaled = parseAmount(text ?? '')
  const unit = 10n ** BigInt(PRICE_DIGITS - digits)
  return scaled === undefined || scaled % unit !== 0n ? undefined : (scaled / unit).toString()
}
