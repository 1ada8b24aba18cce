import { minorText } from '../billing/index.ts'
import type { BillingRow } from '../storage/index.ts'
import { textPdf } from './pdf.ts'
import type { BilledOrganisation, Issuer } from './ports.ts'

/** The receipt of one payment. It says nothing of usage, so that it may be shown to whoever may see payments. */
export function receiptPdf(given: {
  readonly number: number
  readonly at: number
  readonly payment: BillingRow<'payment'>
  readonly method: BillingRow<'payment_method'> | undefined
  readonly organisation: BilledOrganisation
  readonly issuer: Issuer
}): Buffer {
  const { number, at, payment, method, organisation, issuer } = given
  const amount = `${payment.currency} ${minorText(BigInt(payment.minor), payment.minor_digits)}`
  const paidBy = method === undefined ? payment.provider : `${method.label} ending in ${method.last4}`
  return textPdf(`Receipt ${number}`, [
    { text: issuer.name, size: 14, bold: true },
    ...issuer.lines.map((text) => ({ text })),
    { text: `Receipt ${number}`, size: 20, bold: true, gap: 30 },
    { text: 'Received', right: new Date(at).toISOString().slice(0, 10), gap: 12 },
    { text: 'From', right: `${organisation.name} (${organisation.id})` },
    { text: 'For invoice', right: String(payment.invoice) },
    { text: 'Paid by', right: paidBy },
    ...(payment.reference === null ? [] : [{ text: 'Reference', right: payment.reference }]),
    { text: 'Amount', right: amount, size: 12, bold: true, gap: 12 },
  ])
}
