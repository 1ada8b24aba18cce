import type { GatewayId, Meter, OrgId } from '../../contract/index.ts'
import type { MeteredUse, WorkspaceUsage } from '../directory/index.ts'
import type { DaysAsked, UsageDay } from '../storage/index.ts'

const CELLULAR: readonly Meter[] = ['cell.rx', 'cell.tx', 'cell.alloc']

export interface LedgerDays {
  /** Days of the ledger by meter, subject and payer. */
  readonly days: (asked: DaysAsked) => Promise<readonly UsageDay[]>
  /** Gateways on which the organisation owns, or ever owned, something: only these report usage of it. */
  readonly gatewaysOf: (org: string) => Promise<readonly GatewayId[]>
}

/** What the ledger says of workspaces, from the days that it keeps. */
export function ledgerUsage({ days, gatewaysOf }: LedgerDays): WorkspaceUsage {
  return {
    async ofMonth({ org, month, meters }) {
      const gateways = await gatewaysOf(org)
      // The last day of a month sorts before this one, which no month has.
      const asked = { org: org as OrgId, gateways, from: `${month}-01`, to: `${month}-32` }
      return summed(
        await days(meters === undefined ? asked : { ...asked, meters: meters as readonly Meter[] }),
      )
    },
    async simCards({ org, gateways }) {
      const known = new Set<string>(await gatewaysOf(org))
      const own = gateways.filter((gateway): gateway is GatewayId => known.has(gateway))
      const found = await days({ org: org as OrgId, gateways: own, meters: CELLULAR })
      return [...new Set(found.map(({ subject }) => subject))].filter((subject) =>
        subject.startsWith('link:'),
      )
    },
  }
}

function summed(days: readonly UsageDay[]): MeteredUse[] {
  const sums = new Map<string, MeteredUse>()
  for (const { workspace, gateway, meter, billable, quantity } of days) {
    if (workspace === null || !billable) continue
    const key = `${workspace} ${gateway} ${meter}`
    const before = sums.get(key)?.quantity ?? 0n
    sums.set(key, { workspace, gateway, meter, quantity: before + quantity })
  }
  return [...sums.values()]
}
