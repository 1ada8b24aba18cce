import Stripe from 'stripe'
import type { StripeMeterEvent } from '../../billing/index.ts'
import { InvoicingError, refuse } from '../errors.ts'
import type { ChargeState, MethodDetails, PaymentProvider, ProviderEvent } from './provider.ts'
import { stripeAmountFault } from './stripe-amounts.ts'
import { answered, idOf, translated } from './stripe-answers.ts'
import { refunded, returnedIn } from './stripe-returns.ts'

export interface StripeSettings {
  readonly secretKey: string
  /** Of the webhook's address, `whsec_…`. */
  readonly webhookSecret: string
  /** Another place than Stripe's own, such as a test double. */
  readonly apiUrl?: string | undefined
}

const ANSWER_MS_MAX = 20_000
/** The SDK repeats what broke with the same idempotency key. */
const RETRIES = 2
/** A webhook is believed for so long after it was signed; a recording that is played later is refused. */
const WEBHOOK_AGE_S_MAX = 300

/** Stripe over its official SDK. Of cards and banks only its own names for them ever come here. */
export function stripeProvider(settings: StripeSettings): PaymentProvider {
  const { webhookSecret } = settings
  const stripe = new Stripe(settings.secretKey, {
    maxNetworkRetries: RETRIES,
    timeout: ANSWER_MS_MAX,
    telemetry: false,
    appInfo: { name: 'headgate' },
    ...placeOf(settings.apiUrl),
  })
  return {
    name: 'stripe',
    charges: true,
    customerFor: async ({ id, name }) => {
      const made = stripe.customers.create(
        { name, metadata: { headgate_org: id } },
        { idempotencyKey: `headgate-customer-${id}` },
      )
      return (await answered(made)).id
    },
    async beginMethod({ customer, org, kind, key }) {
      const intent = await answered(
        stripe.setupIntents.create(
          {
            customer,
            usage: 'off_session',
            allowed_payment_method_types: [...(kind === 'card' ? CARDS : BANKS)],
            metadata: { headgate_org: org },
          },
          { idempotencyKey: `headgate-setup-${key}` },
        ),
      )
      return { setup: intent.id, clientSecret: intent.client_secret ?? '' }
    },
    async finishedMethod({ setup, org }) {
      const intent = await answered(stripe.setupIntents.retrieve(setup))
      // Another organisation's is none at all.
      if (intent.metadata?.['headgate_org'] !== org)
        refuse('INVOICING_NOT_FOUND', `there is no setup ${setup}`)
      return intent.status === 'succeeded' ? methodOf(stripe, idOf(intent.payment_method)) : undefined
    },
    forgetMethod: (token) => detached(stripe, token),
    async prepare({ payment, org, customer, minor, currency, description, attempt }) {
      const intent = await answered(
        stripe.paymentIntents.create(
          {
            customer,
            amount: Number(minor),
            currency: currency.toLowerCase(),
            description,
            metadata: { headgate_payment: payment, headgate_org: org },
          },
          { idempotencyKey: `headgate-payment-${payment}-${attempt}` },
        ),
      )
      return intent.id
    },
    confirm: (asked) => confirmed(stripe, asked),
    refund: (asked) => refunded(stripe, asked),
    eventIn: (body, signature) => eventOf(stripe, { body, signature, webhookSecret }),
    faultOf: stripeAmountFault,
    meter: (event, attempt) => metered(stripe, event, attempt),
  }
}

async function detached(stripe: Stripe, token: string): Promise<void> {
  await answered(stripe.paymentMethods.detach(token)).catch((error: unknown) => {
    // It is gone already, which is what was wanted.
    if (!(error instanceof InvoicingError) || error.code !== 'INVOICING_PAYMENT_REFUSED') throw error
  })
}

const CARDS = ['card'] as const
const BANKS = ['sepa_debit', 'us_bank_account'] as const

function placeOf(apiUrl: string | undefined) {
  if (apiUrl === undefined) return {}
  const { protocol, hostname, port } = new URL(apiUrl)
  return { host: hostname, port, protocol: protocol === 'http:' ? ('http' as const) : ('https' as const) }
}

/** Money moves once, because an intent succeeds once: what became of it is asked before it is confirmed again. */
async function confirmed(
  stripe: Stripe,
  {
    reference,
    method,
    payment,
    attempt,
  }: { reference: string; method: string; payment: string; attempt: number },
): Promise<ChargeState> {
  const intent = await answered(stripe.paymentIntents.retrieve(reference))
  if (intent.status === 'succeeded' || intent.status === 'processing') return stateOf(intent)
  try {
    return stateOf(
      await stripe.paymentIntents.confirm(
        reference,
        { payment_method: method, off_session: true },
        { idempotencyKey: `headgate-confirm-${payment}-${attempt}` },
      ),
    )
  } catch (error) {
    if (error instanceof Stripe.errors.StripeCardError)
      return { state: 'failed', reference, reason: reasonIn(error) }
    throw translated(error)
  }
}

/** The SDK's types say that both are always there. */
const reasonIn = ({ decline_code: declined, code }: { decline_code?: string; code?: string }): string =>
  declined ?? code ?? 'card_declined'

function stateOf({ id, status, last_payment_error: failure }: Stripe.PaymentIntent): ChargeState {
  if (status === 'succeeded') return { state: 'succeeded', reference: id }
  if (status === 'processing') return { state: 'pending', reference: id }
  return { state: 'failed', reference: id, reason: failure?.decline_code ?? failure?.code ?? status }
}

async function methodOf(stripe: Stripe, token: string): Promise<MethodDetails> {
  const {
    id,
    card,
    sepa_debit: sepa,
    us_bank_account: bank,
  } = await answered(stripe.paymentMethods.retrieve(token))
  if (card !== undefined) {
    const expires = `${card.exp_year}-${String(card.exp_month).padStart(2, '0')}`
    return { token: id, kind: 'card', label: card.brand, last4: card.last4, expires }
  }
  const label = bank?.bank_name ?? sepa?.bank_code ?? 'bank'
  return { token: id, kind: 'bank', label, last4: (bank ?? sepa)?.last4 ?? '', expires: null }
}

async function eventOf(
  stripe: Stripe,
  given: { body: Uint8Array; signature: string; webhookSecret: string },
): Promise<ProviderEvent> {
  const event = verified(stripe, given)
  const head = { id: event.id, at: event.created * 1_000 }
  if (isAboutPayment(event)) {
    const { metadata, amount, currency } = event.data.object
    return {
      ...head,
      kind: 'charge',
      payment: metadata['headgate_payment'] ?? '',
      minor: BigInt(amount),
      currency: currency.toUpperCase(),
      charge: stateOf(event.data.object),
    }
  }
  if (event.type === 'setup_intent.succeeded') {
    const { metadata, payment_method: token } = event.data.object
    const method = await methodOf(stripe, idOf(token))
    return { ...head, kind: 'method', org: metadata?.['headgate_org'] ?? '', method }
  }
  if (event.type === 'payment_method.detached')
    return { ...head, kind: 'method-removed', token: event.data.object.id }
  const returned = returnedIn(event)
  return returned === undefined ? { ...head, kind: 'other', type: event.type } : { ...head, ...returned }
}

type AboutPayment =
  | Stripe.PaymentIntentSucceededEvent
  | Stripe.PaymentIntentProcessingEvent
  | Stripe.PaymentIntentPaymentFailedEvent

const ABOUT_PAYMENT: ReadonlySet<string> = new Set([
  'payment_intent.succeeded',
  'payment_intent.processing',
  'payment_intent.payment_failed',
])
const isAboutPayment = (event: Stripe.Event): event is AboutPayment => ABOUT_PAYMENT.has(event.type)

function verified(
  stripe: Stripe,
  { body, signature, webhookSecret }: { body: Uint8Array; signature: string; webhookSecret: string },
): Stripe.Event {
  try {
    return stripe.webhooks.constructEvent(Buffer.from(body), signature, webhookSecret, WEBHOOK_AGE_S_MAX)
  } catch (cause) {
    throw new InvoicingError(
      'INVOICING_WEBHOOK_REFUSED',
      'the signature is not of this webhook, or too old',
      { cause },
    )
  }
}

/** True where it is new; what is there already was delivered before (I23). */
async function metered(stripe: Stripe, event: StripeMeterEvent, attempt: number): Promise<boolean> {
  try {
    // A key keeps the first answer, a failure too: another try asks anew, and the identifier tells what is there.
    await stripe.billing.meterEvents.create(event, {
      idempotencyKey: `headgate-meter-${event.identifier}-${attempt}`,
    })
    return true
  } catch (error) {
    if (isDuplicateEvent(error)) return false
    throw translated(error)
  }
}

const isDuplicateEvent = (error: unknown): boolean =>
  error instanceof Stripe.errors.StripeInvalidRequestError &&
  (error.code === 'duplicate_meter_event' || /already exists with identifier/i.test(error.message))
