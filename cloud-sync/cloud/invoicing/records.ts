import type { GatewayId, Meter, OrgId } from '../../contract/index.ts'
import type { LedgerRecord } from '../billing/index.ts'
import { type CloudDatabase, type PostedDay, postedDays } from '../storage/index.ts'
import { daysOfHold, type HeldDays, isHeldDay } from './holds.ts'
import type { RecordsAsked, UsageHold } from './ports.ts'

/** Before every day. */
const FIRST_DAY = '0000-00-00'

interface Whose {
  readonly org: OrgId
  readonly gateways: readonly GatewayId[]
  readonly holds: readonly UsageHold[]
  readonly zone: string
  readonly meters: readonly Meter[]
}

/** Where records come from: what was metered for an organisation, or what was held and is decided. */
interface Source {
  readonly org: OrgId
  readonly gateways: readonly GatewayId[]
  /** Of a hold: what is in it alone. */
  readonly held: { readonly days: HeldDays; readonly decidedAt: number } | null
}

/**
 * Posted records as billing counts them: what is held for a dispute is in nobody's before it was decided, and from that
 * moment on in the winner's alone, as known since then.
 */
export async function usageRecords(
  db: CloudDatabase,
  { org, gateways, holds, zone, meters }: Whose,
  asked: RecordsAsked,
): Promise<LedgerRecord[]> {
  const mine = holds.filter((hold) => hold.org === org)
  const decided = holds.flatMap((hold): Source[] => {
    const { winner, decidedAt } = hold
    if (winner !== org || decidedAt === null || decidedAt >= asked.decidedBefore) return []
    const held = { days: daysOfHold(hold, zone), decidedAt }
    return [{ org: hold.org as OrgId, gateways: [hold.gateway], held }]
  })
  const records = new Map<string, LedgerRecord & { postings: LedgerRecord['postings'][number][] }>()
  for (const source of [{ org, gateways, held: null }, ...decided]) {
    // A record that two holds have is one.
    const before = new Set(records.keys())
    for (const row of await rowsOf(db, { source, meters, asked })) {
      const isHeld = mine.some((hold) => isIn(hold, row, zone))
      if (source.held === null ? isHeld : !isHeldDay(row.day, source.held.days)) continue
      const name = JSON.stringify([row.gateway, row.epoch, row.seq, row.day, row.label])
      if (before.has(name)) continue
      const record = recordOf(row, { org, source })
      const known = records.get(name)
      if (known === undefined) records.set(name, record)
      else known.postings.push(...record.postings)
    }
  }
  return [...records.values()]
}

const isIn = (hold: UsageHold, { gateway, day }: PostedDay, zone: string): boolean =>
  hold.gateway === gateway && isHeldDay(day, daysOfHold(hold, zone))

/** Of the days asked for, and the late ones of earlier days. */
async function rowsOf(
  db: CloudDatabase,
  { source, meters, asked }: { source: Source; meters: readonly Meter[]; asked: RecordsAsked },
): Promise<PostedDay[]> {
  const { org, gateways, held } = source
  const { from, to, postedBefore, late } = asked
  const whose = { org, gateways, meters, postedBefore }
  const rows = await postedDays(db.read, { ...whose, from, to })
  if (late === null) return rows
  // What was held is known only since it was decided, whenever it was posted.
  const postedFrom = held !== null && held.decidedAt >= late.decidedFrom ? undefined : late.postedFrom
  const earlier = await postedDays(db.read, { ...whose, from: FIRST_DAY, to: from, postedFrom })
  return [...earlier.filter(({ day }) => day < from), ...rows]
}

function recordOf(row: PostedDay, { org, source }: { org: OrgId; source: Source }) {
  const { gateway, epoch, seq, day, label, wall_end: wallEnd, received_at } = row
  const { meter, subject, quantity, custodian, workspace, billable } = row
  const isWon = source.org !== org
  // Whose people and workspaces they were is no business of the winner.
  const whose = isWon ? { custodian: null, workspace: null } : { custodian, workspace }
  const receivedAt = Math.max(received_at, source.held?.decidedAt ?? 0)
  return {
    ...{ gateway, epoch, seq, org, day, label, isWon, wallEnd, receivedAt },
    postings: [{ meter, subject, quantity, ...whose, billable }],
  }
}
