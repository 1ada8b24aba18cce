/** Every error code of billing with its hint; docs/errors.md explains each, a test compares. */
export const BILLING_ERRORS = {
  BILLING_PRICES_INVALID: 'Correct the entries named above; the prices in force stay as they are.',
  BILLING_PERIOD_CLOSED: 'A closed period never changes; book into the period that is open.',
  BILLING_UNBALANCED: 'This is a fault of the cloud; nothing was booked.',
  BILLING_IMPORT_INVALID: 'Export the file again; a row was changed or lost on the way.',
} as const
export type BillingErrorCode = keyof typeof BILLING_ERRORS

/** A failure of billing; prints as `CODE: sentence. hint`. */
export class BillingError extends Error {
  readonly code: BillingErrorCode
  readonly hint: string
  constructor(code: BillingErrorCode, sentence: string, options?: ErrorOptions) {
    super(sentence, options)
    this.name = 'BillingError'
    this.code = code
    this.hint = BILLING_ERRORS[code]
  }
}
