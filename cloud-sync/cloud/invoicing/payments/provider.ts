import type { StripeMeterEvent } from '../../billing/index.ts'

/** A way to pay that somebody is giving to the provider; what they type goes there and never here. */
export interface MethodSetup {
  /** The provider's name of it. */
  readonly setup: string
  /** With this the browser talks to the provider. */
  readonly clientSecret: string
}

/** What may be known of a way to pay. */
export interface MethodDetails {
  readonly token: string
  readonly kind: 'card' | 'bank'
  readonly label: string
  readonly last4: string
  /** `2031-07`; null where it does not expire. */
  readonly expires: string | null
}

/** A payment as the provider gets it; ours has the name that it keeps. */
interface Prepared {
  readonly payment: string
  readonly org: string
  readonly customer: string
  readonly minor: bigint
  /** ISO 4217. */
  readonly currency: string
  readonly description: string
  /** From 1; another one is another request. */
  readonly attempt: number
}

/** Where a charge stands. */
export type ChargeState =
  | { readonly state: 'succeeded'; readonly reference: string }
  /** The bank takes its time; the provider tells. */
  | { readonly state: 'pending'; readonly reference: string }
  | { readonly state: 'failed'; readonly reference: string | null; readonly reason: string }

/** Money that goes back, all of a payment or a part of it; ours has the name that the provider keeps. */
export interface Returned {
  readonly refund: string
  readonly payment: string
  /** The provider's name of the payment. */
  readonly reference: string
  readonly minor: bigint
  /** ISO 4217. */
  readonly currency: string
}

/** Where a refund stands; a charge has the same words. */
export type RefundState = ChargeState

/**
 * Where a dispute stands: the provider has taken the money back (`withdrawn`), has given it back again (`returned`), or
 * only asks (`open`: no money has moved).
 */
export type DisputeState = 'open' | 'withdrawn' | 'returned'

/** What a provider tells of by itself. */
export type ProviderEvent = { readonly id: string; readonly at: number } & (
  | {
      readonly kind: 'charge'
      readonly payment: string
      readonly minor: bigint
      readonly currency: string
      readonly charge: ChargeState
    }
  | {
      readonly kind: 'refund'
      /** Our name of it; null where it was made at the provider. */
      readonly refund: string | null
      /** The provider's name of it. */
      readonly name: string
      /** The provider's name of the payment. */
      readonly reference: string
      readonly minor: bigint
      readonly currency: string
      readonly state: RefundState
    }
  | {
      readonly kind: 'dispute'
      /** The provider's name of it. */
      readonly dispute: string
      /** The provider's name of the payment. */
      readonly reference: string
      readonly minor: bigint
      readonly currency: string
      readonly state: DisputeState
      /** As the customer's bank says it. */
      readonly reason: string
    }
  | { readonly kind: 'method'; readonly org: string; readonly method: MethodDetails }
  | { readonly kind: 'method-removed'; readonly token: string }
  /** Nothing that concerns us. */
  | { readonly kind: 'other'; readonly type: string }
)

/**
 * Whoever takes the money. Every call may be made again with the same arguments without a second effect.
 * @throws InvoicingError INVOICING_PROVIDER_FAILED where it is not known whether something was done: ask again;
 * INVOICING_PAYMENT_REFUSED where it was not; INVOICING_PAYMENT_CONFLICT where the provider knows the key with another
 * request.
 */
export interface PaymentProvider {
  /** `invoice`: paid by transfer, nothing is charged. */
  readonly name: string
  readonly charges: boolean
  /** The provider's customer for an organisation. */
  customerFor(org: { readonly id: string; readonly name: string }): Promise<string>
  beginMethod(asked: {
    readonly customer: string
    readonly org: string
    readonly kind: 'card' | 'bank'
    readonly key: string
  }): Promise<MethodSetup>
  /** Undefined while it is not finished at the provider. */
  finishedMethod(asked: { readonly setup: string; readonly org: string }): Promise<MethodDetails | undefined>
  forgetMethod(token: string): Promise<void>
  /** Makes a payment known to the provider; no money moves before `confirm`. The provider's name of it. */
  prepare(asked: Prepared): Promise<string>
  /** Moves the money, unless that was done before. */
  confirm(asked: {
    readonly payment: string
    readonly reference: string
    readonly method: string
    readonly attempt: number
  }): Promise<ChargeState>
  /** Gives money of a payment back, unless that was done before. */
  refund(asked: Returned): Promise<RefundState>
  /** @throws InvoicingError INVOICING_WEBHOOK_REFUSED where it is not the provider's, or not of now */
  eventIn(body: Uint8Array, signature: string): Promise<ProviderEvent>
  /** Why an amount would not be taken as it is meant; `digits` are the places in which `minor` counts. */
  faultOf(amount: {
    readonly minor: bigint
    readonly currency: string
    readonly digits: number
  }): string | undefined
  /**
   * Hands over a meter event; one that is there already counts as delivered. True where it was new.
   * @param attempt from 1; another one is another request
   */
  meter(event: StripeMeterEvent, attempt: number): Promise<boolean>
}
