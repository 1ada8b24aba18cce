import type Stripe from 'stripe'
import type { DisputeState, ProviderEvent, RefundState, Returned } from './provider.ts'
import { answered, idOf } from './stripe-answers.ts'

/** A page of Stripe's list, and more than anybody refunds of one payment. */
const REFUNDS_OF_PAYMENT_MAX = 100

/** Keys are forgotten after a day or two, so what Stripe has of this name is looked for first: money goes back once. */
export async function refunded(
  stripe: Stripe,
  { refund, payment, reference, minor }: Returned,
): Promise<RefundState> {
  const { data } = await answered(
    stripe.refunds.list({ payment_intent: reference, limit: REFUNDS_OF_PAYMENT_MAX }),
  )
  const known = data.find(({ metadata }) => metadata?.['headgate_refund'] === refund)
  const made =
    known ??
    (await answered(
      stripe.refunds.create(
        {
          payment_intent: reference,
          amount: Number(minor),
          metadata: { headgate_refund: refund, headgate_payment: payment },
        },
        { idempotencyKey: `headgate-refund-${refund}` },
      ),
    ))
  return stateOf(made)
}

function stateOf({ id, status, failure_reason: failure }: Stripe.Refund): RefundState {
  if (status === 'succeeded') return { state: 'succeeded', reference: id }
  if (status === 'pending' || status === 'requires_action') return { state: 'pending', reference: id }
  return { state: 'failed', reference: id, reason: failure ?? status ?? 'failed' }
}

type Kinds = Extract<ProviderEvent, { readonly kind: 'refund' | 'dispute' }>
/** Each by itself, without what every event has. */
type ReturnEvent = Kinds extends infer E ? (E extends Kinds ? Omit<E, 'id' | 'at'> : never) : never

type AboutRefund =
  | Stripe.RefundCreatedEvent
  | Stripe.RefundUpdatedEvent
  | Stripe.RefundFailedEvent
  | Stripe.ChargeRefundUpdatedEvent
const ABOUT_REFUND: ReadonlySet<string> = new Set([
  'refund.created',
  'refund.updated',
  'refund.failed',
  'charge.refund.updated',
])
const isAboutRefund = (event: Stripe.Event): event is AboutRefund => ABOUT_REFUND.has(event.type)

/** What an event tells of money that goes back; undefined where it tells of something else. */
export function returnedIn(event: Stripe.Event): ReturnEvent | undefined {
  if (isAboutRefund(event)) {
    const { id, amount, currency, metadata, payment_intent: intent } = event.data.object
    return {
      ...{ kind: 'refund', refund: metadata?.['headgate_refund'] ?? null, name: id },
      ...{ reference: idOf(intent), minor: BigInt(amount), currency: currency.toUpperCase() },
      state: stateOf(event.data.object),
    }
  }
  if (event.type === 'charge.dispute.created') return disputeIn(event.data.object, 'open')
  if (event.type === 'charge.dispute.funds_withdrawn') return disputeIn(event.data.object, 'withdrawn')
  if (event.type === 'charge.dispute.funds_reinstated') return disputeIn(event.data.object, 'returned')
  if (event.type !== 'charge.dispute.closed') return undefined
  return disputeIn(event.data.object, event.data.object.status === 'lost' ? 'withdrawn' : 'returned')
}

const disputeIn = (dispute: Stripe.Dispute, state: DisputeState): ReturnEvent => ({
  ...{ kind: 'dispute', dispute: dispute.id, reference: idOf(dispute.payment_intent) },
  ...{ minor: BigInt(dispute.amount), currency: dispute.currency.toUpperCase() },
  ...{ state, reason: dispute.reason },
})
