import Stripe from 'stripe'
import { InvoicingError } from '../errors.ts'

/** Stripe's own name of something. */
export const idOf = (thing: string | { readonly id: string } | null): string =>
  typeof thing === 'string' ? thing : (thing?.id ?? '')

/** What Stripe answers, its failures in our words. */
export const answered = <T>(asked: Promise<T>): Promise<T> =>
  asked.catch((error: unknown) => {
    throw translated(error)
  })

/** Whether it may be asked again: a refusal stays one, everything else may have been done or not. */
export function translated(error: unknown): unknown {
  if (error instanceof Stripe.errors.StripeIdempotencyError)
    return new InvoicingError('INVOICING_PAYMENT_CONFLICT', 'Stripe knows this key with another request', {
      cause: error,
    })
  if (error instanceof Stripe.errors.StripeInvalidRequestError && error.statusCode !== 409)
    return new InvoicingError('INVOICING_PAYMENT_REFUSED', error.code ?? error.message, { cause: error })
  if (error instanceof Stripe.errors.StripeError)
    return new InvoicingError('INVOICING_PROVIDER_FAILED', `Stripe: ${error.message}`, { cause: error })
  return error
}
