import { createHash } from 'node:crypto'
import { z } from 'zod'
import { OrgId } from '../../../contract/index.ts'
import { minorUnit, parseAmount } from '../../billing/index.ts'
import type { BillingRow } from '../../storage/index.ts'
import { refuse } from '../errors.ts'
import { giveBack, noteRefund } from '../payments/refunding.ts'
import type { InvoicingWorld } from '../ports.ts'
import { matter } from './desk.ts'
import { Name } from './payments.ts'
import { refundShown } from './shown.ts'

const REASON_CHARS_MAX = 200
/** Hexadecimal digits of a refund's name. */
const NAME_CHARS = 32

/** Smallest coins of an amount. @throws InvoicingError INVOICING_INPUT_INVALID where it is none, or not above 0 */
export function coinsIn(amount: string, digits: number): bigint {
  const exact = parseAmount(amount)
  const unit = minorUnit(digits)
  if (exact === undefined || exact <= 0n || exact % unit !== 0n)
    return refuse('INVOICING_INPUT_INVALID', `amount: more than 0, with ${digits} places`)
  return exact / unit
}

/** Gives money of a payment back: all that is left of it, or a part. */
export const refund = matter({
  right: 'operator',
  isUsage: false,
  input: z.strictObject({
    org: OrgId,
    payment: Name,
    amount: z.string().max(32).optional().describe('such as "9.00"; all that is left where nothing is said'),
    debt: z
      .enum(['waived', 'stands'])
      .default('waived')
      .describe('`stands`: the customer owes it again, and the invoice is open by so much'),
    reason: z.string().trim().min(1).max(REASON_CHARS_MAX).describe('the payment history shows it'),
  }),
  async run({ world, org, by, key, now }, { payment: id, amount, debt, reason }) {
    const payment = await world.store.read.get('payment', { id, org })
    if (payment === undefined) return refuse('INVOICING_NOT_FOUND', `there is no payment ${id}`)
    const minor = amount === undefined ? undefined : coinsIn(amount, payment.minor_digits)
    demandProvider(world, payment, minor)
    // The same request has the same name, also where nobody knows any more that it was begun.
    const name = createHash('sha256').update(`${by}\0${key}`).digest('hex').slice(0, NAME_CHARS)
    const asked = { id: name, org, payment: id, minor, debt, reason, by, now }
    const noted = await world.store.transaction((tx) => noteRefund(tx, asked))
    return refundShown(await giveBack(world, { refund: noted, now }))
  },
})

/** Before anything is written: whoever took the money is there, and takes such an amount. */
function demandProvider(
  { provider }: InvoicingWorld,
  payment: BillingRow<'payment'>,
  minor: bigint | undefined,
): void {
  if (payment.provider === 'transfer') return
  if (payment.provider !== provider.name)
    refuse('INVOICING_NO_PROVIDER', `payment ${payment.id} was taken by ${payment.provider}`)
  const { currency, minor_digits: digits } = payment
  const fault = minor === undefined ? undefined : provider.faultOf({ minor, currency, digits })
  if (fault !== undefined) refuse('INVOICING_INPUT_INVALID', `amount: ${fault}`)
}
