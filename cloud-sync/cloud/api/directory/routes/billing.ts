import type { z } from 'zod'
import { BILLING_QUERIES, BILLING_WRITES } from '../../../invoicing/index.ts'
import * as A from '../answers.ts'
import { BODY_BYTES_MAX, type Method, type Route } from '../route.ts'
import { OPERATOR, ORG } from './places.ts'

/** A book of a thousand cards. */
const BOOK_BYTES_MAX = 8 * 1024 * 1024

interface Row {
  /** `GET /v1/organisations/{org}/billing/statement` */
  readonly at: string
  readonly says: string
  readonly by?: 'operator'
  readonly answer: z.ZodType | null
  /** Where the answer is no JSON. */
  readonly media?: string
  /** Of a list: unique, and in the order of the list. */
  readonly key?: (item: never) => string
  readonly bytesMax?: number
}

/** What somebody asks of billing. */
const asks = (name: keyof typeof BILLING_QUERIES, row: Row): Route => routeOf(name, row, false)
/** What somebody does there. */
const does = (name: keyof typeof BILLING_WRITES, row: Row): Route => routeOf(name, row, true)

const MATTERS = { ...BILLING_QUERIES, ...BILLING_WRITES }

function routeOf(name: keyof typeof MATTERS, row: Row, writes: boolean): Route {
  const { at, says, by = 'user', answer, media, key, bytesMax = BODY_BYTES_MAX } = row
  const [method = '', path = ''] = at.split(' ')
  const made = MATTERS[name]
  return {
    method: method as Method,
    path,
    by,
    id: `billing.${name}`,
    does: `billing.${name}`,
    says,
    request: made.input,
    into: (same) => same,
    answer,
    ...(media === undefined ? {} : { media }),
    status: answer === null && media === undefined ? 204 : 200,
    isList: key !== undefined,
    list: key === undefined ? null : { items: (all: never) => all, key, from: null, next: null },
    takesKey: writes,
    bytesMax,
    run: ({ billing }, { actor, key: named, input }) =>
      billing.answer(made, { actor, key: named, input, writes: writes ? name : null }),
  }
}

const BILLING = `${ORG}/billing`
const OF_ORG = `${OPERATOR}/organisations/{org}`
const CSV = 'text/csv'
/** As HTTP writes the kind of a text (RFC 9110, 8.3.2). */
const TEXT = 'text/plain; charset=utf-8'

/** Bills, what they are made of, and how they are paid. */
export const BILLS: readonly Route[] = [
  asks('statement', {
    at: `GET ${BILLING}/statement`,
    says: 'The statement of a month',
    answer: A.Statement,
  }),
  asks('sensors', {
    at: `GET ${BILLING}/sensors`,
    says: 'Which sensors are charged, and how much',
    answer: A.SensorCost,
    key: ({ gateway, subject }: z.infer<typeof A.SensorCost>) => `${gateway} ${subject}`,
  }),
  asks('users', {
    at: `GET ${BILLING}/users`,
    says: 'Which users own the sensors charged',
    answer: A.UserCost,
    key: userKey,
  }),
  asks('days', {
    at: `GET ${BILLING}/days`,
    says: 'The charge of each day, and the sensors missing to the next bulk discount',
    answer: A.DayCost,
    key: ({ day }: z.infer<typeof A.DayCost>) => day,
  }),
  asks('cellularGateways', {
    at: `GET ${BILLING}/cellular/gateways`,
    says: 'Cellular usage by gateway',
    answer: A.GatewayCost,
    key: ({ gateway }: z.infer<typeof A.GatewayCost>) => gateway,
  }),
  asks('cellularUsers', {
    at: `GET ${BILLING}/cellular/users`,
    says: 'Cellular usage by the user who owns the gateway',
    answer: A.UserCost,
    key: userKey,
  }),
  asks('workspaces', {
    at: `GET ${BILLING}/workspaces`,
    says: 'Cost by workspace and service; sums to the total',
    answer: A.WorkspaceCost,
    key: ({ workspace, service }: z.infer<typeof A.WorkspaceCost>) => `${workspace ?? '~'} ${service}`,
  }),
  asks('workspaceUsage', {
    at: `GET ${ORG}/workspaces/{workspace}/usage`,
    says: 'What a workspace had in a month: sensors, SIM cards, gateways, users',
    answer: A.WorkspaceUsage,
  }),
  asks('rebilling', {
    at: `GET ${BILLING}/rebilling`,
    says: "A partner's customers by its own rate cards, beside what it pays for them",
    answer: A.RebilledRow,
    key: ({ customer, used, service }: z.infer<typeof A.RebilledRow>) => `${customer} ${used} ${service}`,
  }),
  does('setPartnerPrices', {
    at: `POST ${BILLING}/prices`,
    says: "A partner's own rate cards for its customers",
    bytesMax: BOOK_BYTES_MAX,
    answer: A.PricesSet,
  }),

  asks('csv', {
    at: `GET ${BILLING}/exports/csv`,
    says: 'Every cell of a statement',
    answer: null,
    media: CSV,
  }),
  asks('focus', {
    at: `GET ${BILLING}/exports/focus`,
    says: 'The same as FOCUS rows',
    answer: null,
    media: CSV,
  }),
  asks('cloudEvents', {
    at: `GET ${BILLING}/exports/cloud-events`,
    says: 'The posted records behind it as CloudEvents',
    answer: null,
    media: 'application/cloudevents-batch+json',
  }),
  asks('meterEvents', {
    at: `GET ${BILLING}/exports/stripe-meter-events`,
    says: "The same as meter events of Stripe's API",
    answer: null,
    media: 'application/json; profile="stripe-meter-events"',
  }),

  asks('evidence', {
    at: `GET ${BILLING}/exports/evidence`,
    says: 'What it used, as a file that proves it by itself',
    answer: null,
    media: TEXT,
  }),
  asks('invoices', {
    at: `GET ${BILLING}/invoices`,
    says: 'Invoices, and how much of them is paid',
    answer: A.Invoice,
    key: invoiceKey,
  }),
  does('pay', {
    at: `POST ${BILLING}/invoices/{number}/payment`,
    says: 'Pays what is left of an invoice now',
    answer: A.Payment,
  }),
  asks('methods', {
    at: `GET ${BILLING}/payment-methods`,
    says: 'Card or bank by which it pays',
    answer: A.PaymentMethod,
    key: ({ createdAt, method }: z.infer<typeof A.PaymentMethod>) => `${timeKey(createdAt)} ${method}`,
  }),
  does('beginMethod', {
    at: `POST ${BILLING}/payment-methods`,
    says: 'Begins to give a card or bank to the payment provider',
    answer: A.MethodBegun,
  }),
  does('saveMethod', {
    at: `POST ${BILLING}/payment-methods/confirmation`,
    says: 'Keeps the one that was given',
    answer: A.PaymentMethod,
  }),
  does('chooseMethod', {
    at: `PUT ${BILLING}/payment-methods/{method}/default`,
    says: 'Pays by this one from now on',
    answer: A.PaymentMethod,
  }),
  does('removeMethod', {
    at: `DELETE ${BILLING}/payment-methods/{method}`,
    says: 'Forgets it, here and at the provider',
    answer: null,
  }),
  asks('payments', {
    at: `GET ${BILLING}/payments`,
    says: 'The payment history',
    answer: A.Payment,
    key: ({ createdAt, payment }: z.infer<typeof A.Payment>) => `${timeKey(createdAt)} ${payment}`,
  }),
  asks('invoice', {
    at: `GET ${BILLING}/invoices/{number}`,
    says: 'An invoice with its lines',
    answer: null,
    media: 'application/pdf',
  }),
  asks('receipt', {
    at: `GET ${BILLING}/payments/{payment}/receipt`,
    says: 'The receipt of a payment',
    answer: null,
    media: 'application/pdf',
  }),

  ...operated([
    does('setPrices', {
      at: `POST ${OPERATOR}/prices`,
      says: 'Puts a new price book into force',
      bytesMax: BOOK_BYTES_MAX,
      answer: A.PricesSet,
    }),
    asks('prices', {
      at: `GET ${OPERATOR}/prices`,
      says: 'Price books, the newest last',
      answer: A.PriceBookNamed,
      key: ({ number }: z.infer<typeof A.PriceBookNamed>) => timeKey(number),
    }),
    asks('priceBook', { at: `GET ${OPERATOR}/prices/{number}`, says: 'A price book', answer: A.PriceBook }),
    does('setTerms', {
      at: `PUT ${OF_ORG}/billing-terms`,
      says: 'Billing zone, grace and days to pay, from a month on',
      answer: A.BillingTerms,
    }),
    asks('operatorStatement', {
      at: `GET ${OF_ORG}/statement`,
      says: 'A statement, also of who is billed outside',
      answer: A.Statement,
    }),
    asks('operatorInvoices', {
      at: `GET ${OF_ORG}/invoices`,
      says: 'Invoices of an organisation',
      answer: A.Invoice,
      key: invoiceKey,
    }),
    does('recordTransfer', {
      at: `POST ${OPERATOR}/invoices/{number}/payments`,
      says: 'Records a transfer that came',
      answer: A.Payment,
    }),
    does('refund', {
      at: `POST ${OF_ORG}/payments/{payment}/refunds`,
      says: 'Gives money of a payment back',
      answer: A.Refund,
    }),
    does('closeNow', {
      at: `POST ${OF_ORG}/billing/closing`,
      says: 'Closes the months that are due',
      answer: A.MonthsClosed,
    }),
    does('sendMeterEvents', {
      at: `POST ${OF_ORG}/billing/meter-events`,
      says: 'Hands the meter events of a month to the payment provider',
      answer: A.MeterEventsSent,
    }),
    asks('sentMeterEvents', {
      at: `GET ${OF_ORG}/billing/meter-events`,
      says: 'Meter events of a month, and how each stands',
      answer: A.MeterEvent,
      key: ({ identifier }: z.infer<typeof A.MeterEvent>) => identifier,
    }),
    does('decideMeterEvent', {
      at: `POST ${OF_ORG}/billing/meter-events/{identifier}/verdict`,
      says: 'Says whether the provider has an event that is unsure',
      answer: A.MeterEvent,
    }),
    asks('accounts', {
      at: `GET ${OPERATOR}/accounts`,
      says: 'What stands in the accounts; it sums to zero',
      answer: A.LedgerAccount,
      key: ({ account }: z.infer<typeof A.LedgerAccount>) => account,
    }),
  ]),
]

function operated(routes: readonly Route[]): Route[] {
  return routes.map((route) => ({ ...route, by: 'operator' }))
}
function userKey({ user }: z.infer<typeof A.UserCost>): string {
  return user ?? ''
}
function invoiceKey({ number }: z.infer<typeof A.Invoice>): string {
  return timeKey(number)
}
function timeKey(number: number): string {
  return String(number).padStart(16, '0')
}
