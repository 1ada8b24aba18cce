import { z } from 'zod'

const Handle = z.string().describe('the id of an organisation, its handle')
const Ms = z.int().describe('epoch milliseconds')
const Month = z.string().describe('a month such as 2026-07')
const Count = z.string().describe('a whole number; a text, because it may be beyond 2^53')
const Money = z.string().describe('a decimal number in the currency of the statement, as on the invoice')
const Exact = z.string().describe('the same before rounding, with up to 12 places')
const Service = z.enum(['sensor-days', 'cellular', 'fees'])
const cost = { consumed: Count, amount: Money, exact: Exact }
const user = {
  user: z.string().nullable().describe('null: nobody looked after it'),
  former: z.boolean().describe('is no member any more'),
  resources: z.int(),
}

export const Statement = z.object({
  organisation: Handle,
  period: Month,
  state: z.enum(['open', 'grace', 'due', 'closed']),
  zone: z.string(),
  from: Ms,
  to: Ms,
  currency: z.string().nullable(),
  priceBook: z.string(),
  lines: z.array(
    z.object({
      kind: z.enum(['usage', 'adjustment']),
      used: Month.describe(
        'the month in which it was used; of an adjustment the closed one that it corrects',
      ),
      service: Service,
      sku: z.string(),
      card: z.string(),
      consumed: Count,
      charged: Count,
      amount: Money,
      exact: Exact,
      originalDays: z.array(z.string()).describe('of an adjustment: the days that it is about'),
    }),
  ),
  total: Money,
  exact: Exact,
  rounding: Exact,
  invoice: z.int().nullable(),
  unpriced: z.int().describe('usage on days without a rate card'),
  unreported: z.array(z.object({ gateway: z.string(), since: Ms.nullable() })),
  note: z.string().nullable().describe('N gateways unreported since T'),
})
export const SensorCost = z.object({ gateway: z.string(), subject: z.string(), ...cost })
export const UserCost = z.object({ ...user, ...cost })
export const DayCost = z.object({
  day: z.string(),
  ...cost,
  outlook: z
    .object({
      sensors: Count,
      rate: Exact,
      marginal: Exact.describe('what one more sensor adds to the day'),
      toNext: Count.nullable().describe('sensors missing to the next bulk discount; null in the last tier'),
      nextRate: Exact.nullable(),
      savingAtNext: Exact.nullable().describe('above 0: with so many more sensors the day would cost less'),
      cheaperFrom: Count.nullable().describe('from this number of sensors on, the next tier costs less'),
    })
    .nullable(),
})
export const GatewayCost = z.object({ gateway: z.string(), ...cost })
export const WorkspaceCost = z.object({ workspace: z.string().nullable(), service: Service, ...cost })
export const WorkspaceUsage = z.object({
  workspace: z.string(),
  period: Month,
  sensors: z.int(),
  sims: z.int(),
  gateways: z.int(),
  users: z.int(),
})
export const RebilledRow = z.object({
  customer: Handle,
  period: Month,
  used: Month,
  service: Service,
  consumed: Count,
  price: Money,
  currency: z.string().nullable(),
  cost: Money,
  costCurrency: z.string().nullable(),
  margin: Money.nullable(),
})
export const PricesSet = z.object({ version: z.string(), warnings: z.array(z.string()) })
export const PriceBookNamed = z.object({
  number: z.int(),
  version: z.string(),
  sha256: z.string(),
  at: Ms,
  by: z.string(),
})
export const PriceBook = z.object({ number: z.int(), version: z.string(), book: z.unknown() })
export const BillingTerms = z.object({
  organisation: Handle,
  from: Month,
  zone: z.string(),
  graceDays: z.int(),
  dueDays: z.int(),
})
export const Invoice = z.object({
  number: z.int(),
  organisation: Handle,
  period: Month,
  currency: z.string(),
  total: Money,
  paid: Money,
  issuedAt: Ms,
  dueAt: Ms,
})
export const PaymentMethod = z.object({
  method: z.string(),
  kind: z.enum(['card', 'bank']),
  label: z.string(),
  last4: z.string(),
  expires: z.string().nullable(),
  isDefault: z.boolean(),
  createdAt: Ms,
})
export const MethodBegun = z.object({
  provider: z.string(),
  setup: z.string(),
  clientSecret: z.string().describe('for the browser, which finishes it with the provider'),
})
export const Refund = z.object({
  refund: z.string(),
  payment: z.string(),
  kind: z.enum(['refund', 'dispute']).describe('`dispute`: a bank took it back, or asks'),
  amount: Money,
  currency: z.string(),
  debt: z.enum(['waived', 'stands']).describe('`stands`: the customer owes it again'),
  reason: z.string(),
  state: z.enum(['pending', 'succeeded', 'failed']),
  failure: z.string().nullable().describe('why it failed, or why the last try said nothing'),
  createdAt: Ms,
  settledAt: Ms.nullable(),
})
export const Payment = z.object({
  payment: z.string(),
  invoice: z.int(),
  amount: Money,
  currency: z.string(),
  provider: z.string(),
  state: z.enum(['pending', 'succeeded', 'failed']),
  reason: z.string().nullable(),
  createdAt: Ms,
  settledAt: Ms.nullable(),
  refunded: Money.describe('what of it went back'),
  refunds: z.array(Refund),
})
export const MonthsClosed = z.array(
  z.object({ org: Handle, period: Month, run: z.string(), invoice: z.int().nullable() }),
)
export const MeterEventsSent = z.object({
  events: z.int(),
  fresh: z.int().describe('not there before'),
  unsure: z.int().describe('of any month: look what the provider has'),
})
export const MeterEvent = z.object({
  identifier: z.string(),
  day: z.string(),
  meter: z.string(),
  counted: z.string().describe("by how much the day's sum changed"),
  value: z.string().describe('what the provider is told'),
  state: z.enum(['made', 'sending', 'sent', 'unsure', 'carried']),
  triedAt: z.int().nullable(),
})
export const LedgerAccount = z.object({ account: z.string(), amount: Exact })
