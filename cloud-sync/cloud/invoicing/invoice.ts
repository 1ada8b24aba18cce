import { minorText, type Statement } from '../billing/index.ts'
import type { BillingRow } from '../storage/index.ts'
import { type PdfLine, textPdf } from './pdf.ts'
import type { BilledOrganisation, Issuer } from './ports.ts'

/** As many lines as fit one page of A4 beside what stands above and below them; the rest is one sum. */
const INVOICE_LINES_MAX = 32

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

/**
 * An invoice on one page: its lines, as they were booked, sum to its total. A month with more kinds of charges than fit
 * names the first and gives the rest as one sum; all of them are in the statement. The same bytes each time.
 */
export function invoicePdf(given: {
  readonly invoice: BillingRow<'invoice'>
  readonly statement: Pick<Statement, 'lines'>
  readonly organisation: BilledOrganisation
  readonly issuer: Issuer
}): Buffer {
  const { invoice, statement, organisation, issuer } = given
  const total = BigInt(invoice.total_minor)
  const money = (minor: bigint): string => `${invoice.currency} ${minorText(minor, invoice.minor_digits)}`
  // Below zero it gives back: late usage made an earlier month cheaper.
  const kind = total < 0n ? 'Credit note' : 'Invoice'
  const title = `${kind} ${invoice.number}`
  return textPdf(title, [
    { text: issuer.name, size: 14, bold: true },
    ...issuer.lines.map((text) => ({ text })),
    { text: title, size: 20, bold: true, gap: 30 },
    { text: 'Issued', right: day(invoice.issued_at), gap: 12 },
    { text: 'To', right: `${organisation.name} (${organisation.id})` },
    { text: 'Month', right: invoice.period },
    { text: 'Due', right: day(invoice.due_at) },
    ...linesOf(statement, money).map((line, index) => (index === 0 ? { ...line, gap: 12 } : line)),
    { text: 'Total', right: money(total), size: 12, bold: true, gap: 12 },
  ])
}

/** As people call what is charged; a fee has its own name. */
const WORDS = { 'sensor-days': 'Sensor-days', cellular: 'Cellular data', fees: 'Fee' } as const

function linesOf({ lines }: Pick<Statement, 'lines'>, money: (minor: bigint) => string): PdfLine[] {
  const shown = lines.length <= INVOICE_LINES_MAX ? lines : lines.slice(0, INVOICE_LINES_MAX - 1)
  const rest = lines.slice(shown.length)
  const named = shown.map(({ kind, period, service, sku, minor }) => {
    const what = service === 'sensor-days' ? WORDS[service] : `${WORDS[service]}: ${sku}`
    return { text: kind === 'adjustment' ? `Correction of ${period}: ${what}` : what, right: money(minor) }
  })
  if (rest.length === 0) return named
  const sum = rest.reduce((all, { minor }) => all + minor, 0n)
  return [...named, { text: `${rest.length} more, see the statement`, right: money(sum) }]
}
