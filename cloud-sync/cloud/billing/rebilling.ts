import type { OrgId } from '../../contract/index.ts'
import type { Minor } from './amount.ts'
import type { Period } from './calendar.ts'
import { inOrder } from './day-facts.ts'
import { groupBy } from './group.ts'
import type { Line } from './lines.ts'
import type { Service } from './rating.ts'
import type { Statement } from './statement.ts'

/** One customer of a partner: what the partner pays for it, and what it pays the partner by the partner's own card. */
export interface RebilledCustomer {
  readonly cost: Statement
  readonly price: Statement
}

/** What a partner bills a customer for one service of one month. */
export interface RebillingRow {
  readonly customer: OrgId
  /** The month it is billed in, and the month it was used in. */
  readonly period: Period
  readonly used: Period
  readonly service: Service
  readonly consumed: bigint
  readonly price: Minor
  readonly currency: string | null
  readonly cost: Minor
  readonly costCurrency: string | null
  /** Null where the partner pays and bills in different money. */
  readonly margin: Minor | null
}

/**
 * S3.18: the customers' lines for a partner's own invoices, by the partner's own rate card. Prices of a customer sum to
 * the total of its statement, and costs to what the partner is billed for it.
 */
export const rebill = (customers: readonly RebilledCustomer[]): RebillingRow[] =>
  customers.flatMap(({ cost, price }) => {
    const costs = groupBy(cost.lines, keyOf)
    const prices = groupBy(price.lines, keyOf)
    const sameMoney = cost.currency === price.currency && cost.minorDigits === price.minorDigits
    return [...new Set([...costs.keys(), ...prices.keys()])].sort(inOrder).flatMap((key) => {
      const lines = [...(prices.get(key) ?? []), ...(costs.get(key) ?? [])]
      const [first] = lines
      if (first === undefined) return []
      const paid = minorOf(costs.get(key))
      const billed = minorOf(prices.get(key))
      const consumed = (prices.get(key) ?? costs.get(key) ?? []).reduce(
        (sum, line) => sum + line.consumed,
        0n,
      )
      return [
        {
          ...{
            customer: price.org,
            period: price.period,
            used: first.period,
            service: first.service,
            consumed,
          },
          ...{ price: billed, currency: price.currency, cost: paid, costCurrency: cost.currency },
          margin: sameMoney ? billed - paid : null,
        },
      ]
    })
  })

const keyOf = ({ period, service }: Line): string => `${period} ${service}`
const minorOf = (lines: readonly Line[] = []): Minor => lines.reduce((sum, { minor }) => sum + minor, 0n)
