import type { Day } from './calendar.ts'
import type { PriceBook } from './price-book.ts'
import type { Statement } from './statement.ts'
import * as views from './views.ts'

/** What an organisation sees of its usage and its cost in one month. */
export type BillingPage =
  /** Billed outside: nothing at all, cellular usage included (S0.35, I21). */
  | { readonly visible: false }
  | {
      readonly visible: true
      readonly statement: Statement
      readonly bySensor: readonly views.SensorCost[]
      readonly byUser: readonly views.UserCost[]
      readonly byDay: readonly views.DayCost[]
      readonly cellularByGateway: readonly views.GatewayCost[]
      readonly cellularByUser: readonly views.UserCost[]
      readonly byWorkspace: readonly views.WorkspaceCost[]
    }

/**
 * The billing page. An organisation that is invoiced outside the platform gets no usage data; its statement is made all
 * the same, for whoever writes that invoice.
 */
export function billingPage(
  statement: Statement,
  asked: {
    readonly billedOutside: boolean
    readonly prices: PriceBook
    readonly members: ReadonlySet<string>
    readonly ownerOf: (gateway: string, day: Day) => string | null
  },
): BillingPage {
  if (asked.billedOutside) return { visible: false }
  return {
    visible: true,
    statement,
    bySensor: views.bySensor(statement),
    byUser: views.byUser(statement, asked.members),
    byDay: views.byDay(statement, asked.prices),
    cellularByGateway: views.cellularByGateway(statement),
    cellularByUser: views.cellularByUser(statement, asked),
    byWorkspace: views.byWorkspace(statement),
  }
}
