import { refuse } from '../errors.ts'
import type { PaymentProvider } from './provider.ts'

const none = (): never => refuse('INVOICING_NO_PROVIDER', 'no payment provider is configured')

/** Invoices are paid by transfer; the operator records what came. */
export const invoiceOnly: PaymentProvider = {
  name: 'invoice',
  charges: false,
  customerFor: none,
  beginMethod: none,
  finishedMethod: none,
  forgetMethod: none,
  prepare: none,
  confirm: none,
  refund: none,
  eventIn: none,
  faultOf: none,
  meter: none,
}
