/** Every error code of invoices and payments with its hint; docs/errors.md explains each, a test compares. */
export const INVOICING_ERRORS = {
  INVOICING_INPUT_INVALID: 'Correct the fields named above.',
  INVOICING_NOT_FOUND: 'It does not exist, or your organisation may not see it.',
  INVOICING_KEY_REUSED: 'Take a new idempotency key for another request.',
  INVOICING_PRICES_RETROACTIVE: 'Let new prices begin in a month that is not closed yet.',
  INVOICING_TERMS_TOO_EARLY: 'Let the new terms begin with a month that has not begun yet.',
  INVOICING_MONTH_NOT_CLOSED: 'Send it once the month is closed.',
  INVOICING_NO_PROVIDER: 'Invoices are paid by transfer here; nothing is kept of cards and banks.',
  INVOICING_METHOD_UNFINISHED: 'Finish it at the payment provider first, then confirm it again.',
  INVOICING_ALREADY_PAID: 'Look at the payments of this invoice.',
  INVOICING_REFUND_EXCEEDS:
    'Look at the payments of the organisation: what was paid, and what went back of it.',
  INVOICING_PAYMENT_CONFLICT:
    'Compare the payment with the one of this name at the provider; nothing was booked.',
  INVOICING_PAYMENT_REFUSED: 'The provider says why; give another way to pay, or correct what was asked.',
  INVOICING_PROVIDER_FAILED: 'The payment provider does not answer or refused; it is tried again by itself.',
  INVOICING_WEBHOOK_REFUSED: 'Check the secret of the webhook, and the clock of this machine.',
} as const
export type InvoicingErrorCode = keyof typeof INVOICING_ERRORS

/** Ends a question or a write and takes back all it did; the desk turns it into a value. */
export class InvoicingError extends Error {
  readonly code: InvoicingErrorCode
  readonly hint: string
  constructor(code: InvoicingErrorCode, sentence: string, options?: ErrorOptions) {
    super(sentence, options)
    this.name = 'InvoicingError'
    this.code = code
    this.hint = INVOICING_ERRORS[code]
  }
}

export function refuse(code: InvoicingErrorCode, sentence: string): never {
  throw new InvoicingError(code, sentence)
}
